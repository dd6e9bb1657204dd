//! All flows that are possible, and the ways that they make together.

use super::flow::Walls;
use super::flow::flow;
use super::model::Model;
use super::node::Node;
use super::node::Role;
use super::place::Sure;
use super::traffic::Traffic;

/// A connection that can be opened.
#[derive(Debug)]
pub(crate) struct Edge<'m, 'a> {
    pub(crate) from: &'m Node<'a>,
    pub(crate) to: &'m Node<'a>,
    pub(crate) traffic: Traffic,
}

impl std::fmt::Display for Edge<'_, '_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} can open {} to {}",
            self.from.id, self.traffic, self.to.id
        )
    }
}

/// All edges, with these walls standing. An edge from a node to itself is one between its machines.
pub(crate) fn edges<'m, 'a>(model: &'m Model<'a>, walls: Walls) -> Vec<Edge<'m, 'a>> {
    let mut edges = Vec::new();
    for from in &model.nodes {
        for to in &model.nodes {
            let traffic = flow(model, from, to, walls, Sure::Possible);
            if !traffic.is_empty() {
                edges.push(Edge { from, to, traffic });
            }
        }
    }
    edges
}

/// All ways from the internet to a database that touch nothing twice.
pub(crate) fn ways_to_databases<'m, 'a>(edges: &[Edge<'m, 'a>]) -> Vec<Vec<&'m Node<'a>>> {
    let mut finished = Vec::new();
    let start = edges.iter().find(|edge| edge.from.role == Role::Internet);
    let mut open: Vec<Vec<&Node<'_>>> = start.map(|edge| vec![edge.from]).into_iter().collect();
    while let Some(way) = open.pop() {
        let Some(last) = way.last() else { continue };
        if matches!(last.role, Role::Database | Role::RestoredDatabase) {
            finished.push(way);
            continue;
        }
        for edge in edges.iter().filter(|edge| edge.from.id == last.id) {
            if way.iter().all(|node| node.id != edge.to.id) {
                open.push(way.iter().copied().chain([edge.to]).collect());
            }
        }
    }
    finished.sort_by_key(Vec::len);
    finished
}
