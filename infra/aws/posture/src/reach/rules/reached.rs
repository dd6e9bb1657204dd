//! Who is reached, and from where.

use super::Judged;
use crate::reach::graph::ways_to_databases;
use crate::reach::listed::CHAIN;
use crate::reach::listed::between;
use crate::reach::node::Role;
use crate::reach::traffic::Traffic;

pub(super) fn from_the_internet(judged: &Judged<'_, '_>) -> Vec<String> {
    let front = Traffic::tcp(80).and(&Traffic::tcp(443));
    let edges = judged.edges.iter();
    let from: Vec<_> = edges
        .filter(|edge| edge.from.role == Role::Internet)
        .collect();
    let wanted = |role, traffic: &Traffic| role == Role::FrontBalancer && *traffic == front;
    let others = from
        .iter()
        .filter(|edge| !wanted(edge.to.role, &edge.traffic));
    let others = others.map(|edge| format!("{edge}: not {front} of the load balancer"));
    let nothing = from
        .is_empty()
        .then(|| "the internet reaches nothing at all".to_owned());
    others.chain(nothing).collect()
}

pub(super) fn public_addresses(judged: &Judged<'_, '_>) -> Vec<String> {
    let nodes = judged.model.nodes.iter();
    let public = nodes
        .filter(|node| node.public && !matches!(node.role, Role::FrontBalancer | Role::Builder))
        .map(|node| format!("{} has a public address", node.id));
    let subnets = judged.model.subnets.values();
    let giving = subnets
        .filter(|subnet| subnet.gives_public_addresses)
        .map(|subnet| format!("{} gives public addresses", subnet.id));
    public.chain(giving).collect()
}

pub(super) fn ways(judged: &Judged<'_, '_>) -> Vec<String> {
    let ways = ways_to_databases(&judged.edges);
    if ways.is_empty() {
        return vec!["no way leads from the internet to the database".to_owned()];
    }
    let others = ways.iter().filter(|way| {
        let roles: Vec<Role> = way.iter().map(|node| node.role).collect();
        roles != CHAIN
    });
    others
        .map(|way| {
            let names: Vec<&str> = way.iter().map(|node| node.id).collect();
            format!("another way: {}", names.join(" → "))
        })
        .collect()
}

pub(super) fn database(judged: &Judged<'_, '_>) -> Vec<String> {
    let port = Traffic::tcp(3306);
    let callers = [Role::App, Role::Migration];
    let mut faults = Vec::new();
    let databases = |role| matches!(role, Role::Database | Role::RestoredDatabase);
    for edge in judged.edges.iter().filter(|edge| databases(edge.to.role)) {
        let known = edge.to.role == Role::Database && callers.contains(&edge.from.role);
        if !known || edge.traffic != port {
            faults.push(edge.to_string());
        }
    }
    for caller in callers {
        let mut edges = judged.edges.iter();
        if !edges.any(|edge| edge.from.role == caller && edge.to.role == Role::Database) {
            faults.push(format!("{caller:?} does not reach the database"));
        }
    }
    faults
}

pub(super) fn migration(judged: &Judged<'_, '_>) -> Vec<String> {
    let model = judged.model;
    let machines = model
        .nodes
        .iter()
        .filter(|node| node.role == Role::Migration);
    if machines.clone().next().is_none() {
        return vec!["there is no migration machine".to_owned()];
    }
    let into = judged
        .edges
        .iter()
        .filter(|edge| edge.to.role == Role::Migration);
    let groups = machines.flat_map(|node| node.groups.iter().flatten());
    let rules = groups.filter_map(|id| Some((id, model.groups.get(id)?)));
    let rules = rules.flat_map(|(id, group)| {
        let rules = group.ingress.iter();
        rules.map(move |rule| format!("{id} lets in {rule}"))
    });
    into.map(ToString::to_string).chain(rules).collect()
}

pub(super) fn peers(judged: &Judged<'_, '_>) -> Vec<String> {
    let edges = judged.edges.iter();
    edges
        .filter(|edge| edge.from.role == edge.to.role && edge.from.role != Role::Internet)
        .map(|edge| format!("among machines of a tier: {edge}"))
        .collect()
}

pub(super) fn unlisted(judged: &Judged<'_, '_>) -> Vec<String> {
    let edges = judged.edges.iter();
    edges
        .filter(|edge| !edge.traffic.within(&between(edge.from, edge.to)))
        .map(|edge| format!("not listed: {edge}"))
        .collect()
}
