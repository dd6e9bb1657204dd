//! What has to hold, each by a name that controls refer to as `reach/<name>`.

mod balancers;
mod leaving;
mod needed;
mod reached;
mod walls;

use super::flow::Walls;
use super::graph::Edge;
use super::graph::edges;
use super::model::Model;
use crate::Architecture;
use crate::rules::Verdict;

/// The model with all its edges, from which every rule is judged.
struct Judged<'m, 'a> {
    model: &'m Model<'a>,
    edges: Vec<Edge<'m, 'a>>,
}

struct Rule {
    name: &'static str,
    holds: &'static str,
    faults: fn(&Judged<'_, '_>) -> Vec<String>,
}

impl Rule {
    fn full_name(&self) -> String {
        format!("reach/{}", self.name)
    }
}

/// The one rule that can pass or fail while something is not understood.
const UNDERSTOOD: &str = "everything_that_carries_traffic_is_understood";

const RULES: &[Rule] = &[
    Rule {
        name: UNDERSTOOD,
        holds: "The model knows every resource that could carry traffic, and read all of them.",
        faults: |judged| judged.model.findings.all().to_vec(),
    },
    Rule {
        name: "the_internet_reaches_only_the_load_balancer_on_80_and_443",
        holds: "The internet reaches the front load balancer on TCP 80 and 443, and nothing else.",
        faults: reached::from_the_internet,
    },
    Rule {
        name: "only_the_load_balancer_has_a_public_address",
        holds: "No machine, database or endpoint has a public address, and no subnet gives one.",
        faults: reached::public_addresses,
    },
    Rule {
        name: "the_only_way_from_the_internet_to_the_database_is_balancer_web_balancer_app",
        holds: "Every way from the internet to the database leads over the front load balancer, web, the inner load balancer and app.",
        faults: reached::ways,
    },
    Rule {
        name: "only_app_and_migration_reach_the_database_port",
        holds: "App and the migration machine reach the database, on TCP 3306; nobody reaches a restored one.",
        faults: reached::database,
    },
    Rule {
        name: "nothing_reaches_the_migration_machine",
        holds: "Nothing can open a connection to the migration machine, and no rule would let it.",
        faults: reached::migration,
    },
    Rule {
        name: "tiers_cannot_reach_their_peers",
        holds: "Machines of a tier can't open a connection to each other.",
        faults: reached::peers,
    },
    Rule {
        name: "each_tier_is_reached_only_from_the_one_before",
        holds: "Every connection that can be opened is a listed one.",
        faults: reached::unlisted,
    },
    Rule {
        name: "no_tier_has_a_route_to_the_internet",
        holds: "Only the front load balancer stands in subnets with a route to the internet.",
        faults: leaving::routes,
    },
    Rule {
        name: "nothing_leaves_but_to_listed_endpoints",
        holds: "Connections lead out to endpoints of listed services alone, on TCP 443.",
        faults: leaving::outward,
    },
    Rule {
        name: "every_endpoint_has_a_policy_of_its_own",
        holds: "Every endpoint has a policy that names actions, and resources or callers.",
        faults: leaving::policies,
    },
    Rule {
        name: "the_resolver_answers_listed_names_alone",
        holds: "The resolver of every network refuses all names but the listed ones.",
        faults: leaving::names,
    },
    Rule {
        name: "no_balancer_speaks_in_the_clear_or_to_another_port",
        holds: "Listeners and targets speak HTTPS or hand TCP through, on the listed ports; port 80 forwards to nobody.",
        faults: balancers::protocols,
    },
    Rule {
        name: "every_tier_stands_in_three_zones",
        holds: "Load balancers, web, app and the database have subnets in three zones each.",
        faults: balancers::zones,
    },
    Rule {
        name: "security_groups_alone_keep_the_tiers_apart",
        holds: "If every network ACL let everything pass, no other connection could be opened.",
        faults: walls::groups_alone,
    },
    Rule {
        name: "network_acls_alone_keep_the_tiers_apart",
        holds: "Every network ACL by itself, whatever stands on the other side, lets only listed flows and their answers pass.",
        faults: walls::acls_alone,
    },
    Rule {
        name: "groups_acls_and_routes_let_every_listed_flow_pass",
        holds: "Every listed flow passes, from every subnet to every subnet, with its answers.",
        faults: walls::listed_flows,
    },
    Rule {
        name: "every_allowed_flow_is_needed",
        holds: "Every rule of a security group and every entry of a network ACL is used by a listed flow, to its full width.",
        faults: needed::excess,
    },
];

/// The names of all rules, `reach/…`.
pub fn names() -> impl Iterator<Item = String> {
    RULES.iter().map(Rule::full_name)
}

/// Judges an architecture by every rule. If anything in it is not understood, none passes.
#[must_use]
pub fn judge(architecture: &Architecture) -> Vec<Verdict> {
    let model = Model::of(architecture);
    let judged = Judged {
        edges: edges(&model, Walls::Both),
        model: &model,
    };
    let understood = model.findings.all().is_empty();
    let verdict = |rule: &Rule| {
        let mut faults = (rule.faults)(&judged);
        if !understood && rule.name != UNDERSTOOD {
            faults.push(format!("not to be judged while {UNDERSTOOD} fails"));
        }
        Verdict {
            rule: rule.full_name(),
            passed: faults.is_empty(),
            message: if faults.is_empty() {
                rule.holds.to_owned()
            } else {
                faults.join("\n")
            },
        }
    };
    RULES.iter().map(verdict).collect()
}
