//! The rules on service units.

use super::Unit;
use super::Units;
use crate::verdict::Verdict;

/// A rule on service units.
struct Rule {
    name: &'static str,
    faults: fn(&Unit) -> Vec<String>,
}

const RULES: [Rule; 6] = [
    Rule {
        name: "units_gain_no_privileges",
        faults: |unit| {
            let mut faults = missing_settings(
                unit,
                &[("NoNewPrivileges", TRUE), ("RestrictSUIDSGID", TRUE)],
            );
            if !unit.has("Service", "CapabilityBoundingSet")
                || !unit.words("Service", "CapabilityBoundingSet").is_empty()
            {
                faults.push("CapabilityBoundingSet must be empty".to_owned());
            }
            if unit
                .last("Service", "User")
                .is_none_or(|user| user == "root")
            {
                faults.push("User must not be root".to_owned());
            }
            faults
        },
    },
    Rule {
        name: "units_write_only_to_the_encrypted_volume",
        faults: |unit| {
            let mut faults = missing_settings(
                unit,
                &[
                    ("ProtectSystem", &["strict"]),
                    ("ProtectHome", HIDDEN),
                    ("PrivateTmp", TRUE),
                ],
            );
            let paths = unit.words("Service", "ReadWritePaths");
            let elsewhere = paths.iter().filter(|path| !is_on_data_volume(path));
            faults.extend(elsewhere.map(|path| format!("{path} is not on the data volume")));
            faults
        },
    },
    Rule {
        name: "units_call_only_what_services_call",
        faults: |unit| {
            let mut faults = missing_settings(unit, &[("SystemCallArchitectures", &["native"])]);
            let filter = unit.words("Service", "SystemCallFilter");
            if filter.first() != Some(&"@system-service") {
                faults.push("SystemCallFilter must begin with @system-service".to_owned());
            }
            let families = unit.words("Service", "RestrictAddressFamilies");
            let known = ["AF_INET", "AF_INET6", "AF_UNIX", "none"];
            if families.is_empty() || families.iter().any(|family| !known.contains(family)) {
                faults.push(
                    "RestrictAddressFamilies must be of AF_INET, AF_INET6 and AF_UNIX".to_owned(),
                );
            }
            faults
        },
    },
    Rule {
        name: "units_leave_no_memory_behind",
        faults: |unit| missing_settings(unit, &[("LimitCORE", &["0"]), ("MemorySwapMax", &["0"])]),
    },
    Rule {
        name: "units_see_little_of_the_system",
        faults: |unit| {
            missing_settings(
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
                missing_settings(
                    unit,
                    &[
                        ("LimitMEMLOCK", &["infinity"]),
                        ("MemoryDenyWriteExecute", TRUE),
                    ],
                )
            } else {
                // Scripts run Python, whose libffi needs executable pages.
                Vec::new()
            }
        },
    },
];

/// The values that systemd reads as true.
const TRUE: &[&str] = &["yes", "true", "on", "1"];
/// The values of `ProtectHome` that hide home folders.
const HIDDEN: &[&str] = &["yes", "true", "on", "1", "tmpfs"];
/// The folder of our own programs.
const PROGRAMS: &str = "/opt/stack/bin/";
/// The mount point of the encrypted volume.
const VOLUME: &str = "/var/lib/stack";

/// The names of these rules, `machine/…`.
pub fn names() -> impl Iterator<Item = String> {
    RULES.iter().map(|rule| format!("machine/{}", rule.name))
}

/// The verdict of each rule on the units.
#[must_use]
pub fn evaluate(units: &Units) -> Vec<Verdict> {
    let verdict = |rule: &Rule| {
        let mut faults: Vec<String> = Vec::new();
        for (name, unit) in units.with_suffix(".service") {
            let of_unit = (rule.faults)(unit).into_iter();
            faults.extend(of_unit.map(|fault| format!("{name}: {fault}")));
        }
        if units.with_suffix(".service").next().is_none() {
            faults.push("there is no service unit".to_owned());
        }
        Verdict {
            rule: format!("machine/{}", rule.name),
            passed: faults.is_empty(),
            message: faults.join("; "),
        }
    };
    RULES.iter().map(verdict).collect()
}

fn missing_settings(unit: &Unit, required: &[(&str, &[&str])]) -> Vec<String> {
    let is_set = |name: &str, values: &[&str]| {
        unit.last("Service", name)
            .is_some_and(|value| values.contains(&value))
    };
    let missing = required
        .iter()
        .filter(|(name, values)| !is_set(name, values));
    let missing = missing.map(|(name, values)| {
        format!(
            "{name} must be {}",
            values.first().copied().unwrap_or_default()
        )
    });
    missing.collect()
}

fn is_on_data_volume(path: &str) -> bool {
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
        assert!(is_on_data_volume("-/var/lib/stack/web") && !is_on_data_volume("/var/lib/stacks"));
    }
}
