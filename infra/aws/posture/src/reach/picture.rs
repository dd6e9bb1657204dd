//! The picture of what can be reached, drawn from the same edges that the rules judge.

mod canvas;
mod layout;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::flow::Walls;
use super::graph::Edge;
use super::graph::edges;
use super::listed::FLOWS;
use super::listed::between;
use super::model::Model;
use super::node::Node;
use super::node::Role;
use super::traffic::Traffic;
use crate::Architecture;
use crate::Reference;
use canvas::Area;
use canvas::Canvas;
use layout::BUILDER;
use layout::INTERNET;
use layout::LEFT;
use layout::Layout;
use layout::TOP;
use layout::WIDTH;

const TITLE: &str = "Who can open a connection to whom, computed from the templates";

/// What stands under the picture.
const LEGEND: [&str; 3] = [
    "An arrow is a connection that can be opened: security groups on both sides, network ACLs in both directions, routes and addresses all let it pass. Where there is",
    "no arrow, none can be opened; one that is not listed would be red. AWS filters neither the link-local addresses of time, metadata and resolver, nor what people send",
    "through a session that Systems Manager opened for them: these are not drawn.",
];

/// Flows from one role to another, and whether all of them are listed.
type Flows = BTreeMap<(Role, Role), (Traffic, bool)>;

/// What is drawn.
struct Scene<'m, 'a> {
    architecture: &'a Architecture,
    model: &'m Model<'a>,
    edges: Vec<Edge<'m, 'a>>,
    layout: Layout<'a>,
}

/// Draws who can open a connection to whom, as SVG that reads on light and on dark ground.
#[must_use]
pub fn draw(architecture: &Architecture) -> String {
    let model = Model::of(architecture);
    let mut canvas = Canvas::default();
    if !model.findings.all().is_empty() {
        let what = "Not drawn: something in the templates is not understood.";
        canvas.text("name", (24, 40), "start", what);
        return canvas.finished(WIDTH, 64, TITLE);
    }
    let scene = Scene {
        edges: edges(&model, Walls::Both),
        layout: Layout::of(&model),
        architecture,
        model: &model,
    };
    scene.ground(&mut canvas);
    for (role, area) in &scene.layout.boxes {
        scene.node(&mut canvas, *role, *area);
    }
    scene.node(&mut canvas, Role::Internet, INTERNET);
    if scene.of(Role::Builder).next().is_some() {
        scene.node(&mut canvas, Role::Builder, BUILDER);
    }
    scene.doors(&mut canvas);
    scene.to_doors(&mut canvas);
    scene.arrows(&mut canvas);
    let mut y = scene.layout.bottom + 56;
    for line in LEGEND {
        canvas.text("small", (24, y), "start", line);
        y += 16;
    }
    canvas.finished(WIDTH, y, TITLE)
}

impl<'m, 'a> Scene<'m, 'a> {
    /// The nodes of a role.
    fn of(&self, role: Role) -> impl Iterator<Item = &'m Node<'a>> {
        self.model
            .nodes
            .iter()
            .filter(move |node| node.role == role)
    }

    /// The name that a resource has in its template.
    fn own_name<'i>(&self, id: &'i str) -> &'i str
    where
        'a: 'i,
    {
        let resource = self.architecture.resource(id);
        let name = resource.and_then(|found| found.whole.pointer("/Metadata/LogicalId")?.as_str());
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
            let listed = edge.traffic.within(&between(edge.from, edge.to));
            let flow = flows
                .entry((edge.from.role, edge.to.role))
                .or_insert_with(|| (Traffic::nothing(), true));
            flow.0 = flow.0.and(&edge.traffic);
            flow.1 &= listed;
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
            // An arrow may pass between them.
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
            Role::Builder => ("outside", "Image builder"),
            Role::FrontBalancer => ("front", "Application load balancer"),
            Role::Web => ("tier", "Web machines"),
            Role::InnerBalancer => ("tier", "Network load balancer"),
            Role::App => ("tier", "App machines"),
            Role::Migration => ("tier alone", "Migration machine"),
            Role::Database => ("data", "MySQL"),
            Role::RestoredDatabase => ("data alone", "Database restored as a test"),
            Role::Endpoint | Role::Gateway => ("door", "Endpoint"),
        };
        canvas.area(class, area, 6);
        let (x, y) = area.middle();
        canvas.text("name", (x, y - 3), "middle", name);
        let names = self.of(role).map(|node| self.said(node));
        canvas.text(
            "code",
            (x, y + 14),
            "middle",
            &names.collect::<Vec<_>>().join(", "),
        );
    }

    /// What the template says of a node that is worth a word.
    fn said(&self, node: &Node<'_>) -> String {
        let architecture = self.architecture;
        let points = |kind, property: &str| {
            let mut resources = architecture.resources().filter(|found| found.kind == kind);
            resources.any(|found| {
                let target = found.property(property).and_then(Reference::of);
                target.is_some_and(|target| target.id() == node.id)
            })
        };
        let mut words = vec![self.full_name(node.id)];
        match node.role {
            Role::Internet => {
                let records = architecture.of_kind("AWS::Route53::RecordSet");
                let named = records
                    .filter(|record| record.property("AliasTarget").is_some())
                    .count();
                words = vec!["browsers and FHIR clients".to_owned()];
                words.extend((named > 0).then(|| "find the name in Route 53".to_owned()));
            }
            Role::FrontBalancer if points("AWS::WAFv2::WebACLAssociation", "ResourceArn") => {
                words.push("WAF before it".to_owned());
            }
            Role::InnerBalancer => {
                let passes = node
                    .listeners
                    .iter()
                    .all(|listener| listener.protocol == "TCP");
                words.extend(passes.then(|| "TCP passed through".to_owned()));
            }
            Role::Builder => words.push("another network".to_owned()),
            Role::FrontBalancer
            | Role::Web
            | Role::App
            | Role::Migration
            | Role::Database
            | Role::RestoredDatabase
            | Role::Endpoint
            | Role::Gateway => {}
        }
        let touches = |edge: &&Edge<'_, '_>| edge.from.id == node.id || edge.to.id == node.id;
        if !self.edges.iter().any(|edge| touches(&edge)) {
            words.push("reaches nobody, and nobody it".to_owned());
        }
        words.join(" · ")
    }

    /// Endpoints, and the names that lead there.
    fn doors(&self, canvas: &mut Canvas) {
        let frame = self.layout.doors();
        canvas.text(
            "name",
            (frame.middle().0, frame.y + 22),
            "middle",
            "Doors to AWS",
        );
        let under = "each with a policy of its own";
        canvas.text("small", (frame.middle().0, frame.y + 38), "middle", under);
        let mut y = frame.y + 50;
        for (role, title) in [
            (Role::Endpoint, "Interface endpoints"),
            (Role::Gateway, "Gateway endpoint"),
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
            y = listing(canvas, frame, y, "door", title, &lines);
        }
        for resolver in &self.model.resolvers {
            let names = resolver.names.iter().flatten().map(ToString::to_string);
            y = listing(
                canvas,
                frame,
                y,
                "outside",
                "Names that resolve",
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
        canvas.area("doors", Area { height, ..frame }, 8);
    }

    /// What of them each tier reaches.
    fn to_doors(&self, canvas: &mut Canvas) {
        let (layout, model) = (&self.layout, self.model);
        let frame = layout.doors();
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
            let listed = edges.all(|edge| edge.traffic.within(&between(edge.from, edge.to)));
            let several = self.of(*role).count();
            let mut label = label(*role, first.to.role, &first.traffic);
            if reached.len() < all.saturating_mul(several) {
                label = format!("{label}, not all");
            }
            canvas.across(
                area.middle().1,
                area.right(),
                frame.x,
                (middle, &label),
                listed,
            );
        }
    }

    fn arrows(&self, canvas: &mut Canvas) {
        let (layout, flows) = (&self.layout, self.flows());
        for ((from, to), (traffic, listed)) in &flows {
            // Whoever is on the internet reaches what the internet reaches.
            let known = *from == Role::Builder && flows.contains_key(&(Role::Internet, *to));
            let (Some(start), Some(end)) = (layout.place(*from), layout.place(*to)) else {
                continue;
            };
            let label = label(*from, *to, traffic);
            if *from == Role::Builder && *to == Role::Internet {
                let middle = i32::midpoint(start.x, end.right());
                canvas.across(
                    start.middle().1,
                    start.x,
                    end.right(),
                    (middle, &label),
                    *listed,
                );
            } else if let Some(x) = layout.column(start, end).filter(|_| !known) {
                canvas.down(x, start.bottom(), end.y, &label, *listed);
            } else if !known || !listed {
                let side = |area: Area| (area.x, area.middle().1);
                canvas.around(side(start), side(end), &label);
            }
        }
    }
}

/// A box with a line for each thing in it; returns where the next can begin.
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
    let mut listed = FLOWS
        .iter()
        .filter(|flow| flow.from == from && flow.to == to);
    match listed.next() {
        Some(flow) => format!("{traffic} · {}", flow.carries),
        None => traffic.to_string(),
    }
}
