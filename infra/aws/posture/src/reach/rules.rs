//! The rules. Controls refer to them as `reach/<name>`.

mod balancers;
mod egress;
mod reachability;
mod required;
mod segmentation;

use super::connectivity::Filters;
use super::graph::Edge;
use super::graph::edges;
use super::model::Model;
use crate::architecture::Architecture;
use crate::verdict::Verdict;

/// The model with its edges, which every rule evaluates.
struct Evaluation<'m, 'a> {
    model: &'m Model<'a>,
    edges: Vec<Edge<'m, 'a>>,
}

struct Rule {
    name: &'static str,
    statement: &'static str,
    faults: fn(&Evaluation<'_, '_>) -> Vec<String>,
}

impl Rule {
    fn full_name(&self) -> String {
        format!("reach/{}", self.name)
    }
}

/// The only rule that is evaluated while there are diagnostics.
const UNDERSTOOD: &str = "everything_that_carries_traffic_is_understood";

const RULES: &[Rule] = &[
    Rule {
        name: UNDERSTOOD,
        statement: "The model supports every resource that could carry traffic.",
        faults: |evaluation| evaluation.model.diagnostics.all().to_vec(),
    },
    Rule {
        name: "the_internet_reaches_only_the_load_balancer_on_80_and_443",
        statement: "The internet reaches the public load balancer on TCP 80 and 443, and nothing else.",
        faults: reachability::from_the_internet,
    },
    Rule {
        name: "only_the_load_balancer_has_a_public_address",
        statement: "No machine, database or endpoint has a public address, and no subnet assigns one.",
        faults: reachability::public_addresses,
    },
    Rule {
        name: "the_only_way_from_the_internet_to_the_database_is_balancer_web_balancer_app",
        statement: "Every path from the internet to the database passes the public load balancer, web, the internal load balancer and app.",
        faults: reachability::paths,
    },
    Rule {
        name: "only_app_and_migration_reach_the_database_port",
        statement: "App and the migration machine reach the database, on TCP 3306; nothing reaches a restored one.",
        faults: reachability::database,
    },
    Rule {
        name: "nothing_reaches_the_migration_machine",
        statement: "Nothing can open a connection to the migration machine, and no security group rule allows one.",
        faults: reachability::migration,
    },
    Rule {
        name: "tiers_cannot_reach_their_peers",
        statement: "Machines of a tier cannot open a connection to each other.",
        faults: reachability::peers,
    },
    Rule {
        name: "each_tier_is_reached_only_from_the_one_before",
        statement: "Every connection that can be opened is an allowed flow.",
        faults: reachability::not_allowed,
    },
    Rule {
        name: "no_tier_has_a_route_to_the_internet",
        statement: "Only the public load balancer is in subnets with a route to the internet.",
        faults: egress::routes,
    },
    Rule {
        name: "nothing_leaves_but_to_listed_endpoints",
        statement: "Connections out of the network go only to endpoints of allowed services, on TCP 443.",
        faults: egress::outward,
    },
    Rule {
        name: "every_endpoint_has_a_policy_of_its_own",
        statement: "Every endpoint has a policy that names actions, and resources or callers.",
        faults: egress::policies,
    },
    Rule {
        name: "the_resolver_answers_listed_names_alone",
        statement: "The DNS firewall of every network blocks all domains but the allowed ones.",
        faults: egress::domains,
    },
    Rule {
        name: "no_balancer_speaks_in_the_clear_or_to_another_port",
        statement: "Listeners and targets use HTTPS or pass TCP through, on the allowed ports; port 80 only redirects.",
        faults: balancers::protocols,
    },
    Rule {
        name: "every_tier_stands_in_three_zones",
        statement: "Load balancers, web, app and the database have subnets in three zones each.",
        faults: balancers::zones,
    },
    Rule {
        name: "security_groups_alone_keep_the_tiers_apart",
        statement: "If every network ACL allowed everything, no other connection could be opened.",
        faults: segmentation::groups_only,
    },
    Rule {
        name: "network_acls_alone_keep_the_tiers_apart",
        statement: "Every network ACL alone allows only the allowed flows and their responses.",
        faults: segmentation::acls_only,
    },
    Rule {
        name: "groups_acls_and_routes_let_every_listed_flow_pass",
        statement: "Every allowed flow passes, from every subnet to every subnet, with its responses.",
        faults: segmentation::allowed_flows,
    },
    Rule {
        name: "every_allowed_flow_is_needed",
        statement: "Every rule of a security group and every entry of a network ACL is needed in full by an allowed flow.",
        faults: required::excess,
    },
];

/// The names of all rules, `reach/…`.
pub fn names() -> impl Iterator<Item = String> {
    RULES.iter().map(Rule::full_name)
}

/// Evaluates every rule on an architecture. With any diagnostic, no rule passes.
#[must_use]
pub fn evaluate(architecture: &Architecture) -> Vec<Verdict> {
    let model = Model::new(architecture);
    let evaluation = Evaluation {
        edges: edges(&model, Filters::GroupsAndAcls),
        model: &model,
    };
    let is_supported = model.diagnostics.all().is_empty();
    let verdict = |rule: &Rule| {
        let mut faults = (rule.faults)(&evaluation);
        if !is_supported && rule.name != UNDERSTOOD {
            faults.push(format!("not evaluated while {UNDERSTOOD} fails"));
        }
        Verdict {
            rule: rule.full_name(),
            passed: faults.is_empty(),
            message: if faults.is_empty() {
                rule.statement.to_owned()
            } else {
                faults.join("\n")
            },
        }
    };
    RULES.iter().map(verdict).collect()
}
