// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/input_document.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "proto/agent.pb.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

json Document(const google::protobuf::Message& request) {
  auto document = InputDocument(request);
  EXPECT_TRUE(document);
  return document ? *document : json();
}

TEST(InputDocument, NamesEveryFieldOfAnEmptyRequest) {
  EXPECT_EQ(Document(grpc::CreateContainerRequest()), json::parse(R"({
    "container_id": "", "exec_id": "", "string_user": null, "devices": [], "storages": [],
    "OCI": null, "sandbox_pidns": false, "shared_mounts": [],
    "stdin_port": null, "stdout_port": null, "stderr_port": null})"));
}

TEST(InputDocument, GivesValuesAsKataDoes) {
  grpc::CreateContainerRequest request;
  request.set_stdin_port(0);  // Set, though zero.
  request.mutable_devices()->Add()->set_type("blk");
  grpc::FSGroup* group = request.mutable_storages()->Add()->mutable_fs_group();
  group->set_group_change_policy(types::OnRootMismatch);
  grpc::Spec* spec = request.mutable_oci();
  (*spec->mutable_annotations())["a/b"] = "c";
  spec->mutable_mounts()->Add()->set_type("bind");
  grpc::LinuxSyscall* with = spec->mutable_linux()->mutable_seccomp()->mutable_syscalls()->Add();
  with->set_errnoret(38);
  spec->mutable_linux()->mutable_seccomp()->mutable_syscalls()->Add();
  spec->mutable_linux()->mutable_resources()->mutable_memory()->set_limit(-1);
  spec->mutable_linux()->mutable_resources()->mutable_cpu()->set_shares(~0ULL);
  spec->mutable_linux()->mutable_namespaces()->Add()->set_type("pid");

  const json document = Document(request);
  EXPECT_EQ(document["stdin_port"], 0);
  EXPECT_EQ(document["devices"][0]["type_"], "blk");
  EXPECT_FALSE(document["devices"][0].contains("type"));
  EXPECT_EQ(document["storages"][0]["fs_group"]["group_change_policy"], 1);
  EXPECT_EQ(document["OCI"]["Annotations"], json({{"a/b", "c"}}));
  EXPECT_EQ(document["OCI"]["Mounts"][0]["type_"], "bind");
  EXPECT_EQ(document["OCI"]["Hooks"], nullptr);
  const json& linux_part = document["OCI"]["Linux"];
  EXPECT_EQ(linux_part["Seccomp"]["Syscalls"][0]["ErrnoRet"], json({{"errnoret", 38}}));
  EXPECT_EQ(linux_part["Seccomp"]["Syscalls"][1]["ErrnoRet"], nullptr);
  EXPECT_EQ(linux_part["Resources"]["Memory"]["Limit"], -1);
  EXPECT_EQ(linux_part["Resources"]["CPU"]["Shares"], ~0ULL);
  EXPECT_EQ(linux_part["Namespaces"][0], json({{"Type", "pid"}, {"Path", ""}}));
  EXPECT_EQ(linux_part["Sysctl"], json::object());
}

TEST(InputDocument, BytesAreIntegers) {
  grpc::WriteStreamRequest request;
  request.set_data(
      std::string("\x00\xff"
                  "a",
                  3));
  EXPECT_EQ(Document(request)["data"], json({0, 255, 97}));
}

TEST(InputDocument, CopyFileHasAFormOfItsOwn) {
  grpc::CopyFileRequest request;
  request.set_path("/run/x");
  request.set_file_mode(S_IFREG | 0644);
  request.set_data("secret");
  json document = Document(request);
  EXPECT_EQ(document["file_type"], "Regular");
  EXPECT_EQ(document["symlink_target"], nullptr);
  EXPECT_FALSE(document.contains("data"));
  request.set_file_mode(S_IFLNK | 0777);
  request.set_data("../target");
  document = Document(request);
  EXPECT_EQ(document["file_type"], "Symlink");
  EXPECT_EQ(document["symlink_target"], "../target");
  EXPECT_EQ(document["symlink_src"], "../target");
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xe2\x82", "\xf4\x90\x80\x80"}) {
    request.set_data(bad);
    EXPECT_FALSE(InputDocument(request));
  }
  request.set_data("\xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xbc");
  EXPECT_TRUE(InputDocument(request));
}

TEST(UnknownFields, AreRefusedAtAnyDepth) {
  grpc::CreateContainerRequest request;
  request.mutable_oci()->mutable_linux()->mutable_namespaces()->Add();
  EXPECT_TRUE(RefuseUnknownFields(request));
  grpc::LinuxNamespace* inner = request.mutable_oci()->mutable_linux()->mutable_namespaces(0);
  inner->GetReflection()->MutableUnknownFields(inner)->AddVarint(99, 1);
  const auto refused = RefuseUnknownFields(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(refused.error().message(), "LinuxNamespace: field 99 is not known to this agent");
}

}  // namespace
}  // namespace kata_cc::agent
