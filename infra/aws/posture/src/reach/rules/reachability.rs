//! Rules on what each node reaches.

use super::Evaluation;
use crate::reach::allowed_flows::DATABASE_PATH;
use crate::reach::allowed_flows::allowed_between;
use crate::reach::graph::paths_to_databases;
use crate::reach::node::Role;
use crate::reach::traffic::Traffic;

pub(super) fn from_the_internet(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let expected = Traffic::tcp(80).union(&Traffic::tcp(443));
    let edges = evaluation.edges.iter();
    let from: Vec<_> = edges
        .filter(|edge| edge.from.role == Role::Internet)
        .collect();
    let is_expected =
        |role, traffic: &Traffic| role == Role::PublicBalancer && *traffic == expected;
    let others = from
        .iter()
        .filter(|edge| !is_expected(edge.to.role, &edge.traffic));
    let others = others.map(|edge| format!("{edge}: not {expected} of the public load balancer"));
    let nothing = from
        .is_empty()
        .then(|| "the internet reaches nothing".to_owned());
    others.chain(nothing).collect()
}

pub(super) fn public_addresses(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let nodes = evaluation.model.nodes.iter();
    let public = nodes
        .filter(|node| {
            node.public && !matches!(node.role, Role::PublicBalancer | Role::ImageBuilder)
        })
        .map(|node| format!("{} has a public address", node.id));
    let subnets = evaluation.model.subnets.values();
    let assigning = subnets
        .filter(|subnet| subnet.gives_public_addresses)
        .map(|subnet| format!("{} assigns public addresses", subnet.id));
    public.chain(assigning).collect()
}

pub(super) fn paths(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let paths = paths_to_databases(&evaluation.edges);
    if paths.is_empty() {
        return vec!["there is no path from the internet to the database".to_owned()];
    }
    let others = paths.iter().filter(|path| {
        let roles: Vec<Role> = path.iter().map(|node| node.role).collect();
        roles != DATABASE_PATH
    });
    others
        .map(|path| {
            let names: Vec<&str> = path.iter().map(|node| node.id).collect();
            format!("another path: {}", names.join(" → "))
        })
        .collect()
}

pub(super) fn database(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let port = Traffic::tcp(3306);
    let callers = [Role::App, Role::Migration];
    let mut faults = Vec::new();
    let databases = |role| matches!(role, Role::Database | Role::RestoredDatabase);
    for edge in evaluation
        .edges
        .iter()
        .filter(|edge| databases(edge.to.role))
    {
        let known = edge.to.role == Role::Database && callers.contains(&edge.from.role);
        if !known || edge.traffic != port {
            faults.push(edge.to_string());
        }
    }
    for caller in callers {
        let mut edges = evaluation.edges.iter();
        if !edges.any(|edge| edge.from.role == caller && edge.to.role == Role::Database) {
            faults.push(format!("{caller:?} does not reach the database"));
        }
    }
    faults
}

pub(super) fn migration(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let model = evaluation.model;
    let machines = model
        .nodes
        .iter()
        .filter(|node| node.role == Role::Migration);
    if machines.clone().next().is_none() {
        return vec!["there is no migration machine".to_owned()];
    }
    let into = evaluation
        .edges
        .iter()
        .filter(|edge| edge.to.role == Role::Migration);
    let groups = machines.flat_map(|node| node.groups.iter().flatten());
    let rules = groups.filter_map(|id| Some((id, model.groups.get(id)?)));
    let rules = rules.flat_map(|(id, group)| {
        let rules = group.ingress.iter();
        rules.map(move |rule| format!("{id} allows {rule}"))
    });
    into.map(ToString::to_string).chain(rules).collect()
}

pub(super) fn peers(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let edges = evaluation.edges.iter();
    edges
        .filter(|edge| edge.from.role == edge.to.role && edge.from.role != Role::Internet)
        .map(|edge| format!("between machines of a tier: {edge}"))
        .collect()
}

pub(super) fn not_allowed(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let edges = evaluation.edges.iter();
    edges
        .filter(|edge| !edge.traffic.is_subset(&allowed_between(edge.from, edge.to)))
        .map(|edge| format!("not an allowed flow: {edge}"))
        .collect()
}
