//! The diagram of network reachability, drawn from the edges that the rules evaluate.

mod canvas;
mod layout;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::allowed_flows::ALLOWED_FLOWS;
use super::allowed_flows::allowed_between;
use super::connectivity::Filters;
use super::graph::Edge;
use super::graph::edges;
use super::model::Model;
use super::node::Node;
use super::node::Role;
use super::traffic::Traffic;
use crate::architecture::Architecture;
use crate::architecture::Reference;
use canvas::Area;
use canvas::Canvas;
use layout::BUILDER;
use layout::INTERNET;
use layout::LEFT;
use layout::Layout;
use layout::TOP;
use layout::WIDTH;

const TITLE: &str = "Which node can open a connection to which, computed from the templates";

/// The text under the diagram.
const LEGEND: [&str; 3] = [
    "An arrow is a connection that can be opened: security groups on both sides, network ACLs in both directions, routes and addresses all allow it. Without an arrow,",
    "no connection can be opened. A connection that is not an allowed flow would be red. Not shown, because AWS does not filter it: traffic to the link-local addresses of",
    "time, metadata and DNS, and traffic through a Session Manager tunnel.",
];

/// The traffic from one role to another, and whether all of it is allowed.
type Flows = BTreeMap<(Role, Role), (Traffic, bool)>;

/// The content of the diagram.
struct Diagram<'m, 'a> {
    architecture: &'a Architecture,
    model: &'m Model<'a>,
    edges: Vec<Edge<'m, 'a>>,
    layout: Layout<'a>,
}

/// Draws the reachability of an architecture as SVG, for light and dark backgrounds.
#[must_use]
pub fn draw(architecture: &Architecture) -> String {
    let model = Model::new(architecture);
    let mut canvas = Canvas::default();
    if !model.diagnostics.all().is_empty() {
        let what = "Not drawn: the templates contain something that the model does not support.";
        canvas.text("name", (24, 40), "start", what);
        return canvas.finished(WIDTH, 64, TITLE);
    }
    let diagram = Diagram {
        edges: edges(&model, Filters::GroupsAndAcls),
        layout: Layout::of(&model),
        architecture,
        model: &model,
    };
    diagram.ground(&mut canvas);
    for (role, area) in &diagram.layout.boxes {
        diagram.node(&mut canvas, *role, *area);
    }
    diagram.node(&mut canvas, Role::Internet, INTERNET);
    if diagram.of(Role::ImageBuilder).next().is_some() {
        diagram.node(&mut canvas, Role::ImageBuilder, BUILDER);
    }
    diagram.endpoints(&mut canvas);
    diagram.to_endpoints(&mut canvas);
    diagram.arrows(&mut canvas);
    let mut y = diagram.layout.bottom + 56;
    for line in LEGEND {
        canvas.text("small", (24, y), "start", line);
        y += 16;
    }
    canvas.finished(WIDTH, y, TITLE)
}

impl<'m, 'a> Diagram<'m, 'a> {
    /// The nodes of a role.
    fn of(&self, role: Role) -> impl Iterator<Item = &'m Node<'a>> {
        self.model
            .nodes
            .iter()
            .filter(move |node| node.role == role)
    }

    /// The logical id of a resource in its template.
    fn own_name<'i>(&self, id: &'i str) -> &'i str
    where
        'a: 'i,
    {
        let resource = self.architecture.resource(id);
        let name =
            resource.and_then(|found| found.definition.pointer("/Metadata/LogicalId")?.as_str());
        name.unwrap_or(id)
    }

    fn full_name(&self, id: &str) -> String {
        let stack = self
            .architecture
            .resource(id)
            .map_or("", |found| found.stack());
        format!("{stack}/{}", self.own_name(id))
    }

    fn flows(&self) -> Flows {
        let mut flows = Flows::new();
        for edge in &self.edges {
            let is_allowed = edge.traffic.is_subset(&allowed_between(edge.from, edge.to));
            let flow = flows
                .entry((edge.from.role, edge.to.role))
                .or_insert_with(|| (Traffic::none(), true));
            flow.0 = flow.0.union(&edge.traffic);
            flow.1 &= is_allowed;
        }
        flows
    }

    /// The network, its zones and its subnets.
    fn ground(&self, canvas: &mut Canvas) {
        let (layout, model) = (&self.layout, self.model);
        let network = Area::new(24, TOP - 18, WIDTH - 48, layout.bottom - TOP + 42);
        canvas.area("network", network, 10);
        for id in &model.networks {
            let block = self
                .architecture
                .resource(id)
                .and_then(|found| found.text("CidrBlock"));
            let text = format!("{} {}", self.own_name(id), block.unwrap_or(""));
            canvas.text("code", (WIDTH - LEFT, TOP + 4), "end", &text);
        }
        for (zone, area) in &layout.zones {
            canvas.area("zone", *area, 8);
            canvas.text("small", (area.x + 14, area.y + 20), "start", zone);
        }
        for (id, area) in &layout.subnets {
            canvas.area("subnet", *area, 6);
            let block = model.subnets.get(id).map(|subnet| subnet.block.to_string());
            // Text at both ends leaves the middle free for an arrow.
            let y = area.bottom() - 9;
            canvas.text("code", (area.x + 8, y), "start", self.own_name(id));
            canvas.text(
                "code",
                (area.right() - 8, y),
                "end",
                &block.unwrap_or_default(),
            );
        }
    }

    fn node(&self, canvas: &mut Canvas, role: Role, area: Area) {
        let (class, name) = match role {
            Role::Internet => ("outside", "Internet"),
            Role::ImageBuilder => ("outside", "Image builder"),
            Role::PublicBalancer => ("front", "Application load balancer"),
            Role::Web => ("tier", "Web machines"),
            Role::InternalBalancer => ("tier", "Network load balancer"),
            Role::App => ("tier", "App machines"),
            Role::Migration => ("tier isolated", "Migration machine"),
            Role::Database => ("data", "MySQL"),
            Role::RestoredDatabase => ("data isolated", "Database of a restore test"),
            Role::InterfaceEndpoint | Role::GatewayEndpoint => ("endpoint", "Endpoint"),
        };
        canvas.area(class, area, 6);
        let (x, y) = area.middle();
        canvas.text("name", (x, y - 3), "middle", name);
        let names = self.of(role).map(|node| self.details(node));
        canvas.text(
            "code",
            (x, y + 14),
            "middle",
            &names.collect::<Vec<_>>().join(", "),
        );
    }

    /// The line under the name of a node.
    fn details(&self, node: &Node<'_>) -> String {
        let architecture = self.architecture;
        let points = |kind, property: &str| {
            let mut resources = architecture
                .resources()
                .filter(|found| found.resource_type == kind);
            resources.any(|found| {
                let target = found.property(property).and_then(Reference::of);
                target.is_some_and(|target| target.id() == node.id)
            })
        };
        let mut words = vec![self.full_name(node.id)];
        match node.role {
            Role::Internet => {
                let records = architecture.of_type("AWS::Route53::RecordSet");
                let named = records
                    .filter(|record| record.property("AliasTarget").is_some())
                    .count();
                words = vec!["browsers and FHIR clients".to_owned()];
                words.extend((named > 0).then(|| "resolve the name in Route 53".to_owned()));
            }
            Role::PublicBalancer if points("AWS::WAFv2::WebACLAssociation", "ResourceArn") => {
                words.push("behind WAF".to_owned());
            }
            Role::InternalBalancer => {
                let passes = node
                    .listeners
                    .iter()
                    .all(|listener| listener.protocol == "TCP");
                words.extend(passes.then(|| "TCP passed through".to_owned()));
            }
            Role::ImageBuilder => words.push("in another network".to_owned()),
            Role::PublicBalancer
            | Role::Web
            | Role::App
            | Role::Migration
            | Role::Database
            | Role::RestoredDatabase
            | Role::InterfaceEndpoint
            | Role::GatewayEndpoint => {}
        }
        let touches = |edge: &&Edge<'_, '_>| edge.from.id == node.id || edge.to.id == node.id;
        if !self.edges.iter().any(|edge| touches(&edge)) {
            words.push("isolated".to_owned());
        }
        words.join(" · ")
    }

    /// The endpoints, and the domains that resolve.
    fn endpoints(&self, canvas: &mut Canvas) {
        let frame = self.layout.endpoints();
        canvas.text(
            "name",
            (frame.middle().0, frame.y + 22),
            "middle",
            "AWS service endpoints",
        );
        let under = "each with a policy of its own";
        canvas.text("small", (frame.middle().0, frame.y + 38), "middle", under);
        let mut y = frame.y + 50;
        for (role, title) in [
            (Role::InterfaceEndpoint, "Interface endpoints"),
            (Role::GatewayEndpoint, "Gateway endpoint"),
        ] {
            let nodes: Vec<&Node<'_>> = self.of(role).collect();
            let mut lines: Vec<String> = nodes.iter().map(|node| node.service.to_owned()).collect();
            lines.sort_unstable();
            let subnets: BTreeSet<&str> = nodes
                .iter()
                .flat_map(|node| &node.subnets)
                .copied()
                .collect();
            let subnets = subnets
                .into_iter()
                .filter_map(|id| self.model.subnets.get(id));
            let subnets = subnets.map(|subnet| {
                let name = self.own_name(subnet.id);
                format!("{name} {}", subnet.block)
            });
            lines.extend(subnets);
            y = listing(canvas, frame, y, "endpoint", title, &lines);
        }
        for firewall in &self.model.dns_firewalls {
            let names = firewall
                .allowed_domains
                .iter()
                .flatten()
                .map(ToString::to_string);
            y = listing(
                canvas,
                frame,
                y,
                "outside",
                "Domains that resolve",
                &names.collect::<Vec<_>>(),
            );
        }
        let lowest = self
            .layout
            .boxes
            .iter()
            .filter(|(role, _)| *role == Role::Migration);
        let lowest = lowest.map(|(_, area)| area.bottom() + 12).max();
        let height = lowest.unwrap_or(y).max(y) + 4 - frame.y;
        canvas.area("endpoints", Area { height, ..frame }, 8);
    }

    /// The arrows from each tier to the endpoints.
    fn to_endpoints(&self, canvas: &mut Canvas) {
        let (layout, model) = (&self.layout, self.model);
        let frame = layout.endpoints();
        let inside = layout.subnets.iter().map(|(_, subnet)| subnet.right());
        let middle = i32::midpoint(inside.max().unwrap_or(frame.x), frame.x);
        let all = model
            .nodes
            .iter()
            .filter(|node| !node.service.is_empty())
            .count();
        for (role, area) in &layout.boxes {
            let own = self.edges.iter().filter(|edge| edge.from.role == *role);
            let reached: Vec<_> = own.filter(|edge| !edge.to.service.is_empty()).collect();
            let Some(first) = reached.first() else {
                continue;
            };
            let mut edges = reached.iter();
            let is_allowed =
                edges.all(|edge| edge.traffic.is_subset(&allowed_between(edge.from, edge.to)));
            let several = self.of(*role).count();
            let mut label = label(*role, first.to.role, &first.traffic);
            if reached.len() < all.saturating_mul(several) {
                label = format!("{label}, some");
            }
            canvas.across(
                area.middle().1,
                area.right(),
                frame.x,
                (middle, &label),
                is_allowed,
            );
        }
    }

    fn arrows(&self, canvas: &mut Canvas) {
        let (layout, flows) = (&self.layout, self.flows());
        for ((from, to), (traffic, is_allowed)) in &flows {
            // The arrow from the internet covers every machine on it.
            let known = *from == Role::ImageBuilder && flows.contains_key(&(Role::Internet, *to));
            let (Some(start), Some(end)) = (layout.area(*from), layout.area(*to)) else {
                continue;
            };
            let label = label(*from, *to, traffic);
            if *from == Role::ImageBuilder && *to == Role::Internet {
                let middle = i32::midpoint(start.x, end.right());
                canvas.across(
                    start.middle().1,
                    start.x,
                    end.right(),
                    (middle, &label),
                    *is_allowed,
                );
            } else if let Some(x) = layout.column(start, end).filter(|_| !known) {
                canvas.down(x, start.bottom(), end.y, &label, *is_allowed);
            } else if !known || !is_allowed {
                let side = |area: Area| (area.x, area.middle().1);
                canvas.around(side(start), side(end), &label);
            }
        }
    }
}

/// Draws a box with lines of text, and returns the y coordinate of the next box.
fn listing(
    canvas: &mut Canvas,
    frame: Area,
    y: i32,
    class: &str,
    title: &str,
    lines: &[String],
) -> i32 {
    let mut at = y + 20;
    let mut texts = vec![("small", title)];
    texts.extend(lines.iter().map(|line| ("code", line.as_str())));
    let height = texts.iter().fold(14, |height, _| height + 16);
    canvas.area(
        class,
        Area::new(frame.x + 16, y, frame.width - 32, height),
        6,
    );
    for (class, text) in texts {
        canvas.text(class, (frame.middle().0, at), "middle", text);
        at += 16;
    }
    y + height + 12
}

fn label(from: Role, to: Role, traffic: &Traffic) -> String {
    let mut is_allowed = ALLOWED_FLOWS
        .iter()
        .filter(|flow| flow.from == from && flow.to == to);
    match is_allowed.next() {
        Some(flow) => format!("{traffic} · {}", flow.protocol),
        None => traffic.to_string(),
    }
}
