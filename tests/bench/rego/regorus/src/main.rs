// SPDX-License-Identifier: Apache-2.0
// Peer of rego_bench: the same requests through regorus.
// regorus-bench FOLDER...: prints "figure NAME VALUE" (microseconds) and "answer FOLDER LINE BOOL".
use std::collections::BTreeMap;
use std::time::Instant;

const ROUNDS: usize = 9;

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(|a, b| a.total_cmp(b));
    values[values.len() / 2]
}

fn load(text: &str) -> anyhow::Result<regorus::Engine> {
    let mut engine = regorus::Engine::new();
    engine.set_rego_v0(true);
    engine.set_gather_prints(true);
    engine.set_strict_builtin_errors(false);
    engine.add_policy("policy.rego".to_string(), text.to_string())?;
    engine.add_data(regorus::Value::from_json_str(r#"{"pstate": {}}"#)?)?;
    Ok(engine)
}

fn main() -> anyhow::Result<()> {
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut loads = Vec::new();
    for folder in std::env::args().skip(1) {
        let text = std::fs::read_to_string(format!("{folder}/policy.rego"))?;
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or("").to_string();
        let start = Instant::now();
        let mut engine = load(&text)?;
        loads.push(start.elapsed().as_secs_f64() * 1e6);
        let requests = std::fs::read_to_string(format!("{folder}/requests.jsonl"))?;
        for (number, line) in requests.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let kind = line["kind"].as_str().unwrap_or("").to_string();
            let input = regorus::Value::from_json_str(&line["request"].to_string())?;
            let rule = format!("data.agent_policy.{kind}");
            let mut rounds = Vec::new();
            let mut allowed = false;
            for _ in 0..ROUNDS {
                engine.set_input(input.clone());
                let start = Instant::now();
                let value = engine.eval_rule(rule.clone());
                rounds.push(start.elapsed().as_secs_f64() * 1e6);
                engine.take_prints()?;
                allowed = match value {
                    Ok(regorus::Value::Bool(value)) => value,
                    Ok(value) => matches!(&value["allowed"], regorus::Value::Bool(true)),
                    Err(error) => {
                        eprintln!("{name} {number} {kind}: {error}");
                        false
                    }
                };
            }
            println!("answer {name} {number} {allowed}");
            let figure = if allowed { format!("{kind}.allowed") } else { kind };
            times.entry(figure).or_default().push(median(&mut rounds));
        }
    }
    println!("figure load {:.1}", median(&mut loads));
    for (name, values) in times.iter_mut() {
        println!("figure {name} {:.1}", median(values));
    }
    Ok(())
}
