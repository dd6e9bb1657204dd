//! From answers to verdicts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::batch::Answers;
use super::catalogue::matches;
use super::questions::Ban;
use super::questions::Permitted;
use super::questions::Questions;
use crate::rules::Verdict;

/// Something that a role may do.
struct Grant<'a> {
    action: &'a str,
    level: &'a str,
    on: &'a str,
    by: String,
}

impl Questions {
    /// What the answers say, rule by rule.
    #[must_use]
    pub fn judge(&self, answers: &Answers) -> Vec<Verdict> {
        let mut against = Against::default();
        for (rule, fault) in &self.faults {
            against.say(rule, fault.clone());
        }
        self.understood(answers, &mut against);
        for request in &self.requests {
            let answer = answers.at(request.place);
            let allowed = answer.get("allowed").and_then(Value::as_bool);
            if allowed == Some(request.allowed) {
                against.hear(&request.rule);
            } else {
                let why = why(answer);
                against.say(&request.rule, format!("{} is {why}", request.said));
            }
        }
        let mut used = vec![false; self.permitted.len()];
        for (role, place) in &self.surfaces {
            let answer = answers.at(*place);
            let Some(grants) = answer.get("grants").and_then(Value::as_array) else {
                against.say(super::PRODUCT, format!("{role}: {}", why(answer)));
                for ban in &self.bans {
                    against.say(&ban.rule, format!("{role}: {}", why(answer)));
                }
                continue;
            };
            let grants: Vec<Grant<'_>> = grants.iter().map(Grant::read).collect();
            self.listed(role, &grants, &mut used, &mut against);
            for ban in &self.bans {
                banned(ban, role, &grants, &mut against);
            }
        }
        for (may, _) in self.permitted.iter().zip(used).filter(|(_, used)| !used) {
            let said = format!(
                "{} can't: {} on {}",
                may.who.join(", "),
                may.actions.join(", "),
                may.on.join(", ")
            );
            against.say(super::USED, said);
        }
        against.verdicts()
    }

    fn understood(&self, answers: &Answers, against: &mut Against) {
        for (place, check) in &self.checks {
            let answer = answers.at(*check);
            match answer.get("problems").and_then(Value::as_array) {
                Some(problems) => {
                    for problem in problems.iter().filter_map(Value::as_str) {
                        against.say(super::UNDERSTOOD, format!("{place}: {problem}"));
                    }
                }
                None => against.say(super::UNDERSTOOD, format!("{place}: {}", why(answer))),
            }
        }
    }

    fn listed(&self, role: &str, grants: &[Grant<'_>], used: &mut [bool], against: &mut Against) {
        for grant in grants {
            let mut listed = false;
            for (may, used) in self.permitted.iter().zip(used.iter_mut()) {
                if may.covers(role, grant) {
                    listed = true;
                    *used = true;
                }
            }
            if !listed {
                against.say(super::PRODUCT, format!("{role} may {}", grant.said()));
            }
        }
    }
}

impl Permitted {
    fn covers(&self, role: &str, grant: &Grant<'_>) -> bool {
        self.who.iter().any(|who| who == role)
            && self
                .actions
                .iter()
                .any(|action| matches(action, grant.action))
            && (self.level.is_empty() || self.level.iter().any(|level| level == grant.level))
            && self.on.iter().any(|on| matches(on, grant.on))
    }
}

impl<'a> Grant<'a> {
    fn read(value: &'a Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let by = value
            .get("by")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let by: Vec<&str> = by.filter_map(Value::as_str).collect();
        Self {
            action: text("action"),
            level: text("level"),
            on: text("on"),
            by: by.join(", "),
        }
    }

    fn said(&self) -> String {
        format!(
            "{} on {} ({}; {})",
            self.action, self.on, self.level, self.by
        )
    }
}

fn banned(ban: &Ban, role: &str, grants: &[Grant<'_>], against: &mut Against) {
    if !ban.who.iter().any(|who| who == role) {
        return;
    }
    against.hear(&ban.rule);
    for grant in grants {
        let meant = ban
            .actions
            .iter()
            .any(|action| matches(action, grant.action))
            && ban.on.iter().any(|on| matches(on, grant.on))
            && !ban.except.iter().any(|on| matches(on, grant.on));
        if meant {
            against.say(&ban.rule, format!("{role} may {}", grant.said()));
        }
    }
}

fn why(answer: &Value) -> String {
    if let Some(fault) = answer.get("fault").and_then(Value::as_str) {
        return format!("not answered: {fault}");
    }
    let by = answer
        .get("by")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let by: Vec<&str> = by.filter_map(Value::as_str).collect();
    match answer.get("allowed").and_then(Value::as_bool) {
        Some(true) => format!("allowed by {}", by.join(", ")),
        Some(false) if by.is_empty() => "denied, since nothing allows it".to_owned(),
        Some(false) => format!("denied by {}", by.join(", ")),
        None => "not answered".to_owned(),
    }
}

/// What speaks against each rule.
#[derive(Default)]
struct Against(BTreeMap<String, Vec<String>>);

impl Against {
    fn hear(&mut self, rule: &str) {
        self.0.entry(rule.to_owned()).or_default();
    }

    fn say(&mut self, rule: &str, what: String) {
        self.0.entry(rule.to_owned()).or_default().push(what);
    }

    /// A rule of which nothing was asked is none that holds.
    fn verdicts(mut self) -> Vec<Verdict> {
        for rule in super::ALWAYS {
            self.hear(rule);
        }
        let verdict = |(rule, against): (String, Vec<String>)| Verdict {
            rule,
            passed: against.is_empty(),
            message: against.join("\n"),
        };
        self.0.into_iter().map(verdict).collect()
    }
}
