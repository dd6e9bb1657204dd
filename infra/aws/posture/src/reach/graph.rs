//! The graph of connections that can be opened, and its paths.

use super::addresses::Quantifier;
use super::connectivity::Filters;
use super::connectivity::open_traffic;
use super::model::Model;
use super::node::Node;
use super::node::Role;
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

/// All edges under the given filters. An edge from a node to itself connects machines of one group.
pub(crate) fn edges<'m, 'a>(model: &'m Model<'a>, filters: Filters) -> Vec<Edge<'m, 'a>> {
    let mut edges = Vec::new();
    for from in &model.nodes {
        for to in &model.nodes {
            let traffic = open_traffic(model, from, to, filters, Quantifier::Exists);
            if !traffic.is_empty() {
                edges.push(Edge { from, to, traffic });
            }
        }
    }
    edges
}

/// All paths from the internet to a database that visit no node twice.
pub(crate) fn paths_to_databases<'m, 'a>(edges: &[Edge<'m, 'a>]) -> Vec<Vec<&'m Node<'a>>> {
    let mut finished = Vec::new();
    let start = edges.iter().find(|edge| edge.from.role == Role::Internet);
    let mut open: Vec<Vec<&Node<'_>>> = start.map(|edge| vec![edge.from]).into_iter().collect();
    while let Some(path) = open.pop() {
        let Some(last) = path.last() else { continue };
        if matches!(last.role, Role::Database | Role::RestoredDatabase) {
            finished.push(path);
            continue;
        }
        for edge in edges.iter().filter(|edge| edge.from.id == last.id) {
            if path.iter().all(|node| node.id != edge.to.id) {
                open.push(path.iter().copied().chain([edge.to]).collect());
            }
        }
    }
    finished.sort_by_key(Vec::len);
    finished
}
