# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced after stack.sh and network.sh: pods whose guests attest themselves to a key broker on the
# pods' network. The broker expects what `kata-ccctl measure --pod` computes from the pod's YAML, the
# configuration and the image's files, and trusts the root of the simulator of this stack.

# shellcheck disable=SC2154 # here: of stack.sh
policies=$here/policies
ctl=$KATA_CC_BUILD/shim/ctl/kata-ccctl
BROKER=https://broker.test:8443 # By a name: the guest asks the name server of the pod.

# attestation_configuration FILE [SED-EXPRESSION...]: the stack's, for simulated guests
attestation_configuration() {
  local file=$1 accelerator=tcg expressions=() expression
  shift
  grep -qE '\b(svm|vmx)\b' /proc/cpuinfo && accelerator=kvm
  for expression in "$@"; do expressions+=(-e "$expression"); done
  sed -e '/^sim_dir/d' -e "s#^tee = .*#tee = \"sim\"\nsim_dir = \"$STACK/sim\"#" \
    -e "s/^accelerator = .*/accelerator = \"$accelerator\"/" "${expressions[@]}" \
    "$STACK/configuration.toml" >"$file"
}

base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }

# A JWS over a reference to the broker's default/key/1, by a key that the broker gives out, too.
seal() {
  local work=$STACK/attestation
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/sealing.pem"
  openssl ec -in "$work/sealing.pem" -pubout -outform DER 2>/dev/null | tail -c 64 >"$work/point"
  printf '{"kty":"EC","crv":"P-256","alg":"ES256","x":"%s","y":"%s"}' \
    "$(head -c 32 "$work/point" | base64url)" "$(tail -c 32 "$work/point" | base64url)" >"$work/sealing.jwk"
  printf '%s.%s' "$(printf '{"b64":true,"alg":"ES256","kid":"kbs:///default/sealing/1"}' | base64url)" \
    "$(printf '{"version":"0.1.0","type":"vault","name":"kbs:///default/key/1","provider":"kbs","provider_settings":{},"annotations":{}}' | base64url)" >"$work/signed"
  openssl dgst -sha256 -sign "$work/sealing.pem" -out "$work/signature" "$work/signed"
  # r and s, each of 32 bytes, out of their DER sequence.
  openssl asn1parse -inform DER -in "$work/signature" | awk -F: '/INTEGER/ { printf "%64s", $NF }' | tr ' ' 0 |
    python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$work/raw"
  printf 'sealed.%s.%s' "$(<"$work/signed")" "$(base64url <"$work/raw")" >"$work/sealed"
}

attestation_start() {
  local work=$STACK/attestation
  mkdir "$work"
  network_pod attested 192.0.2.21
  network_names 192.0.2.1 192.0.2.1
  echo "nameserver 192.0.2.1" >"$work/resolv.conf"
  "$ctl" sim init --dir "$STACK/sim" >/dev/null
  printf 'the pod'\''s secret, %s' "$(head -c 12 /dev/urandom | base64)" >"$work/secret"
  seal
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=broker \
    -addext subjectAltName=DNS:broker.test -keyout "$work/broker.key" -out "$work/broker.pem" 2>/dev/null
  {
    cat "$policies/run.rego"
    echo 'ExecProcessRequest := true'
    echo 'CopyFileRequest if startswith(input.path, "/run/kata-containers/shared/containers/")'
    echo 'AttestationApiRequest if input.path in {"/info", "/aa/evidence"}'
    echo 'AttestationApiRequest if input.resource == "kbs:///default/key/1"'
  } | sed 's/"pause",/"pause", "wget",/' >"$work/policy.rego"
  attestation_initdata "$work/policy.rego" >"$work/initdata"
  attestation_configuration "$work/configuration.toml"
}

attestation_initdata() {  # attestation_initdata POLICY: the annotation's value
  {
    printf 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"policy.rego" = '"'''"'\n%s\n'"'''\n" "$(<"$1")"
    printf '"aa.toml" = '"'''"'\n[token_configs.kbs]\nurl = "%s"\ncert = """\n%s\n"""\n'"'''\n" \
      "$BROKER" "$(<"$STACK/attestation/broker.pem")"
  } | gzip --no-name | base64 -w0
}

# What the verifier knows: the pod's YAML, the configuration and the image.
attestation_reference() {
  local work=$STACK/attestation
  cat >"$work/pod.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: attested
  annotations:
    io.katacontainers.config.hypervisor.cc_init_data: "$(<"$work/initdata")"
spec:
  containers: [{name: app, image: "$IMAGE_NAME"}]
YAML
  "$ctl" measure --pod "$work/pod.yaml" --config "$work/configuration.toml" >"$work/reference.json"
}
reference() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}$/\1/p" "$STACK/attestation/reference.json"; }

broker_start() {
  local work=$STACK/attestation
  daemon_on_network "$KATA_CC_BUILD/tests/kbs/kata-cc-test-kbs" --address 192.0.2.1 --port 8443 \
    --ark "$STACK/sim/ark.pem" --expect-measurement "$(reference launch_digest)" \
    --expect-host-data "$(reference host_data)" --expect-policy "$(reference guest_policy)" \
    --resource default/key/1="$work/secret" --resource default/sealing/1="$work/sealing.jwk" \
    --certificate "$work/broker.pem" --key "$work/broker.key" >"$work/broker.log" 2>&1 &
  NETWORK_PIDS+=("$!")
  wait_until 20 grep -qs https:// "$work/broker.log"
}

# run_attested CONFIGURATION INITDATA [ctr run option...] -- ID COMMAND...
run_attested() {
  local configuration=$1 initdata=$2
  shift 2
  STACK_SNAPSHOTTER=kata-cc run_pod - --runtime-config-path "$configuration" \
    --annotation "io.katacontainers.config.hypervisor.cc_init_data=$(<"$initdata")" \
    --with-ns "network:$(network_path attested)" \
    --mount "type=bind,src=$STACK/attestation/resolv.conf,dst=/etc/resolv.conf,options=rbind:ro" "$@"
}

# For a workload: asks the local API, and prints its whole answer. wget would hide the reason of a refusal.
# shellcheck disable=SC2016,SC2034 # expanded in the guest; for who sources this
ask_api='printf "GET $0 HTTP/1.1\r\nHost: localhost\r\n\r\n" | nc 127.0.0.1 8006'
