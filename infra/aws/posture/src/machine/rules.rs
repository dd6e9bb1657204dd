//! What every service unit of an instance is held to.

use super::Machine;
use super::Unit;
use crate::rules::Verdict;

/// A rule: its name, and what is wrong with a unit in its eyes.
struct Rule {
    name: &'static str,
    faults: fn(&Unit) -> Vec<String>,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "units_gain_no_privileges",
        faults: |unit| {
            let mut faults = wanting(
                unit,
                &[("NoNewPrivileges", TRUE), ("RestrictSUIDSGID", TRUE)],
            );
            if !unit.has("Service", "CapabilityBoundingSet")
                || !unit.words("Service", "CapabilityBoundingSet").is_empty()
            {
                faults.push("CapabilityBoundingSet has to be empty".to_owned());
            }
            if unit
                .last("Service", "User")
                .is_none_or(|user| user == "root")
            {
                faults.push("User has to be one of its own".to_owned());
            }
            faults
        },
    },
    Rule {
        name: "units_write_only_to_the_encrypted_volume",
        faults: |unit| {
            let mut faults = wanting(
                unit,
                &[
                    ("ProtectSystem", &["strict"]),
                    ("ProtectHome", HIDDEN),
                    ("PrivateTmp", TRUE),
                ],
            );
            let paths = unit.words("Service", "ReadWritePaths");
            let elsewhere = paths.iter().filter(|path| !is_ours(path));
            faults.extend(elsewhere.map(|path| format!("{path} is not on the data volume")));
            faults
        },
    },
    Rule {
        name: "units_call_only_what_services_call",
        faults: |unit| {
            let mut faults = wanting(unit, &[("SystemCallArchitectures", &["native"])]);
            let filter = unit.words("Service", "SystemCallFilter");
            if filter.first() != Some(&"@system-service") {
                faults.push("SystemCallFilter has to begin with @system-service".to_owned());
            }
            let families = unit.words("Service", "RestrictAddressFamilies");
            let known = ["AF_INET", "AF_INET6", "AF_UNIX", "none"];
            if families.is_empty() || families.iter().any(|family| !known.contains(family)) {
                faults
                    .push("RestrictAddressFamilies names the internet's and no others".to_owned());
            }
            faults
        },
    },
    Rule {
        name: "units_leave_no_memory_behind",
        faults: |unit| wanting(unit, &[("LimitCORE", &["0"]), ("MemorySwapMax", &["0"])]),
    },
    Rule {
        name: "units_see_little_of_the_system",
        faults: |unit| {
            wanting(
                unit,
                &[
                    ("PrivateDevices", TRUE),
                    ("ProtectKernelTunables", TRUE),
                    ("ProtectKernelModules", TRUE),
                    ("ProtectKernelLogs", TRUE),
                    ("ProtectControlGroups", TRUE),
                    ("ProtectClock", TRUE),
                    ("ProtectHostname", TRUE),
                    ("ProtectProc", &["invisible"]),
                    ("RestrictNamespaces", TRUE),
                    ("RestrictRealtime", TRUE),
                    ("LockPersonality", TRUE),
                ],
            )
        },
    },
    Rule {
        name: "tiers_lock_their_memory_and_make_no_code",
        faults: |unit| {
            let program = unit.last("Service", "ExecStart").unwrap_or_default();
            if program.starts_with(PROGRAMS) {
                wanting(
                    unit,
                    &[
                        ("LimitMEMLOCK", &["infinity"]),
                        ("MemoryDenyWriteExecute", TRUE),
                    ],
                )
            } else {
                // What is written in Python is no tier, and libffi wants pages that can be executed.
                Vec::new()
            }
        },
    },
];

/// How systemd writes yes.
const TRUE: &[&str] = &["yes", "true", "on", "1"];
/// Ways to hide people's folders.
const HIDDEN: &[&str] = &["yes", "true", "on", "1", "tmpfs"];
/// Where our own programs are.
const PROGRAMS: &str = "/opt/stack/bin/";
/// Where the encrypted volume is mounted.
const VOLUME: &str = "/var/lib/stack";

/// The names of these rules, `machine/…`.
pub fn names() -> impl Iterator<Item = String> {
    RULES.iter().map(|rule| format!("machine/{}", rule.name))
}

/// What they say of an instance's units.
#[must_use]
pub fn judge(machine: &Machine) -> Vec<Verdict> {
    let verdict = |rule: &Rule| {
        let mut faults: Vec<String> = Vec::new();
        for (name, unit) in machine.of_kind(".service") {
            let of_unit = (rule.faults)(unit).into_iter();
            faults.extend(of_unit.map(|fault| format!("{name}: {fault}")));
        }
        if machine.of_kind(".service").next().is_none() {
            faults.push("there is no unit".to_owned());
        }
        Verdict {
            rule: format!("machine/{}", rule.name),
            passed: faults.is_empty(),
            message: faults.join("; "),
        }
    };
    RULES.iter().map(verdict).collect()
}

fn wanting(unit: &Unit, wanted: &[(&str, &[&str])]) -> Vec<String> {
    let is_so = |name: &str, values: &[&str]| {
        unit.last("Service", name)
            .is_some_and(|value| values.contains(&value))
    };
    let missing = wanted.iter().filter(|(name, values)| !is_so(name, values));
    let told = missing.map(|(name, values)| {
        format!(
            "{name} has to be {}",
            values.first().copied().unwrap_or_default()
        )
    });
    told.collect()
}

fn is_ours(path: &str) -> bool {
    let path = path.trim_start_matches(['-', '+']);
    path == VOLUME || path.starts_with(&format!("{VOLUME}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_counts_and_an_empty_one_empties_a_list() {
        let unit = Unit::parse("[Service]\nNoNewPrivileges=yes\nNoNewPrivileges=no\nReadWritePaths=/a\nReadWritePaths=\nReadWritePaths=/var/lib/stack/web \\\n  /etc\n").unwrap();
        assert_eq!(unit.last("Service", "NoNewPrivileges"), Some("no"));
        assert_eq!(
            unit.words("Service", "ReadWritePaths"),
            ["/var/lib/stack/web", "/etc"]
        );
        assert!(is_ours("-/var/lib/stack/web") && !is_ours("/var/lib/stacks"));
    }
}
