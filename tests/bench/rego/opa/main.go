// SPDX-License-Identifier: Apache-2.0
// Peer of rego_bench: the same requests through Open Policy Agent, one prepared query a rule.
// opa-bench FOLDER...: prints "figure NAME VALUE" (microseconds) and "answer FOLDER LINE BOOL".
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

type line struct {
	Kind    string `json:"kind"`
	Request any    `json:"request"`
	Allowed bool   `json:"allowed"`
}

const rounds = 9

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

func readLines(path string) []line {
	file, err := os.Open(path)
	fail(err)
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(make([]byte, 1<<20), 1<<27)
	var lines []line
	for scanner.Scan() {
		var one line
		fail(json.Unmarshal(scanner.Bytes(), &one))
		lines = append(lines, one)
	}
	return lines
}

func main() {
	ctx := context.Background()
	times := map[string][]float64{}
	var loads []float64
	for _, folder := range os.Args[1:] {
		text, err := os.ReadFile(filepath.Join(folder, "policy.rego"))
		fail(err)
		queries := map[string]rego.PreparedEvalQuery{}
		for number, one := range readLines(filepath.Join(folder, "requests.jsonl")) {
			query, ok := queries[one.Kind]
			if !ok {
				start := time.Now()
				query, err = rego.New(rego.Query("data.agent_policy."+one.Kind),
					rego.Module("policy.rego", string(text)), rego.SetRegoVersion(ast.RegoV0),
					rego.Store(inmem.NewFromObject(map[string]any{"pstate": map[string]any{}}))).PrepareForEval(ctx)
				fail(err)
				loads = append(loads, float64(time.Since(start).Microseconds()))
				queries[one.Kind] = query
			}
			input, err := ast.InterfaceToValue(one.Request)
			fail(err)
			var best []float64
			allowed := false
			for round := 0; round < rounds; round++ {
				start := time.Now()
				results, err := query.Eval(ctx, rego.EvalParsedInput(input))
				best = append(best, float64(time.Since(start).Nanoseconds())/1000)
				fail(err)
				allowed = false
				if len(results) > 0 {
					switch value := results[0].Expressions[0].Value.(type) {
					case bool:
						allowed = value
					case map[string]any:
						allowed, _ = value["allowed"].(bool)
					}
				}
			}
			fmt.Printf("answer %s %d %v\n", filepath.Base(folder), number, allowed)
			name := one.Kind
			if allowed {
				name += ".allowed"
			}
			times[name] = append(times[name], median(best))
		}
	}
	fmt.Printf("figure load %.1f\n", median(loads))
	for name, values := range times {
		fmt.Printf("figure %s %.1f\n", name, median(values))
	}
}
