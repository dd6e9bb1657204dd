//! The benchmarks: each one runs, for a second, against the stack alone.

#[cfg(test)]
mod benchmarks {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use serde_json::Value;
    use tools::binaries;
    use tools::workspace;

    /// Every benchmark of the stack, by the name in its results.
    const OF_THE_STACK: [&str; 8] = [
        "fhir", "floods", "import", "memory", "reads", "roster", "size", "start",
    ];

    fn results(name: &str) -> Vec<Value> {
        let path = folder().join(name);
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
    }

    fn folder() -> PathBuf {
        workspace::root().unwrap().join("target/bench/brief")
    }

    #[test]
    fn every_benchmark_measures_something_without_other_proxies() {
        let bench = binaries::obtain_only(&["bench"], false)
            .unwrap()
            .join("bench");
        let _ = fs::remove_dir_all(folder());
        let output = Command::new(bench)
            .arg("--brief")
            .env_remove("STACK_HOME")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");

        let figures = results("results.json");
        let names: BTreeSet<&str> = figures
            .iter()
            .map(|figure| figure["benchmark"].as_str().unwrap())
            .collect();
        assert_eq!(names, BTreeSet::from(OF_THE_STACK), "{printed}");
        for figure in &figures {
            let value = figure["value"].as_f64();
            assert!(value.is_some_and(f64::is_finite), "{figure}");
        }

        let samples = results("web.json");
        assert!(samples.len() > 10, "{printed}");
        for sample in &samples {
            assert_eq!(sample["proxy"], "web", "{sample}");
        }
    }
}
