//! The layout: tiers from top to bottom in the order of the path to the database, zones side by side, endpoints on the
//! right.

use std::collections::BTreeSet;

use super::canvas::Area;
use crate::reach::model::Model;
use crate::reach::node::Node;
use crate::reach::node::Role;

pub(super) const WIDTH: i32 = 1120;
pub(super) const INTERNET: Area = Area::new(188, 24, 380, 50);
pub(super) const BUILDER: Area = Area::new(796, 24, 280, 50);
/// The left edge of the content of the network.
pub(super) const LEFT: i32 = 44;
pub(super) const TOP: i32 = 128;
const ZONES_WIDTH: i32 = 672;
const ZONE_GAP: i32 = 12;
const BOX: i32 = 46;
const FIRST_ROW: i32 = TOP + 42;
const BETWEEN_ROWS: i32 = 48;
const BETWEEN_BOXES: i32 = 46;

/// The roles in rows, from the internet to the database.
const ORDER: [Role; 7] = [
    Role::PublicBalancer,
    Role::Web,
    Role::InternalBalancer,
    Role::App,
    Role::Migration,
    Role::Database,
    Role::RestoredDatabase,
];

/// The areas of all parts of the diagram.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    pub(super) zones: Vec<(&'a str, Area)>,
    pub(super) subnets: Vec<(&'a str, Area)>,
    pub(super) boxes: Vec<(Role, Area)>,
    pub(super) bottom: i32,
}

impl<'a> Layout<'a> {
    pub(super) fn of(model: &Model<'a>) -> Self {
        let mut layout = Self::default();
        layout.lay_zones(model);
        let mut y = FIRST_ROW;
        let mut row: Option<&str> = None;
        for role in ORDER {
            let nodes: Vec<&Node<'a>> = model
                .nodes
                .iter()
                .filter(|node| node.role == role)
                .collect();
            let subnets: Vec<_> = nodes
                .iter()
                .flat_map(|node| model.subnets_of(node))
                .collect();
            // Roles with one route table share a row.
            let Some(table) = subnets.first().map(|subnet| subnet.route_table) else {
                continue;
            };
            if row.is_some_and(|row| row != table) {
                y = layout.close_row(model, row, y) + BETWEEN_ROWS;
            } else if row.is_some() {
                y += BETWEEN_BOXES - 14;
            }
            row = Some(table);
            let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone).collect();
            layout.boxes.push((role, layout.across(&zones, y + 14)));
            y += BOX + 14;
        }
        layout.bottom = layout.close_row(model, row, y);
        for (_, area) in &mut layout.zones {
            area.height = layout.bottom + 10 - area.y;
        }
        layout
    }

    fn lay_zones(&mut self, model: &Model<'a>) {
        let zones: BTreeSet<&str> = model.occupied().map(|subnet| subnet.zone).collect();
        let count = i32::try_from(zones.len()).unwrap_or(1).max(1);
        let width = (ZONES_WIDTH - ZONE_GAP * (count - 1)) / count;
        for (zone, number) in zones.into_iter().zip(0..) {
            let x = LEFT + (width + ZONE_GAP) * number;
            self.zones.push((zone, Area::new(x, TOP + 8, width, 0)));
        }
    }

    /// Adds the subnets of a row around its boxes, and returns the bottom of the row.
    fn close_row(&mut self, model: &Model<'a>, row: Option<&str>, y: i32) -> i32 {
        let top = self
            .subnets
            .last()
            .map_or(FIRST_ROW, |(_, last)| last.bottom() + BETWEEN_ROWS);
        let bottom = y + 28;
        let subnets = model
            .occupied()
            .filter(|subnet| Some(subnet.route_table) == row);
        for subnet in subnets {
            let zone = self.zones.iter().find(|(name, _)| *name == subnet.zone);
            if let Some((_, zone)) = zone {
                let area = Area::new(zone.x + 6, top, zone.width - 12, bottom - top);
                self.subnets.push((subnet.id, area));
            }
        }
        bottom
    }

    /// A box that spans zones.
    fn across(&self, zones: &BTreeSet<&str>, y: i32) -> Area {
        let columns = self.zones.iter().filter(|(zone, _)| zones.contains(zone));
        let left = columns
            .clone()
            .map(|(_, area)| area.x)
            .min()
            .unwrap_or(LEFT);
        let right = columns.map(|(_, area)| area.right()).max().unwrap_or(LEFT);
        Area::new(left + 18, y, right - left - 36, BOX)
    }

    /// The area of a role.
    pub(super) fn area(&self, role: Role) -> Option<Area> {
        let outside = [(Role::Internet, INTERNET), (Role::ImageBuilder, BUILDER)];
        let mut places = self.boxes.iter().chain(&outside);
        let found = places.find(|(other, _)| *other == role)?;
        Some(found.1)
    }

    /// The x coordinate of a straight arrow down from one box to another, in the middle zone if possible.
    pub(super) fn column(&self, from: Area, to: Area) -> Option<i32> {
        let middles = self.zones.iter().map(|(_, zone)| zone.middle().0);
        let mut middles: Vec<i32> = middles.collect();
        middles.sort_by_key(|x| (x - INTERNET.middle().0).abs());
        middles.into_iter().find(|x| {
            let over = |area: Area| area.x < *x && *x < area.right();
            let mut between = self
                .boxes
                .iter()
                .filter(|(_, area)| area.y > from.y && area.y < to.y);
            from.bottom() < to.y && over(from) && over(to) && !between.any(|(_, area)| over(*area))
        })
    }

    /// The frame around the endpoints.
    pub(super) fn endpoints(&self) -> Area {
        let first = self
            .subnets
            .first()
            .map_or(FIRST_ROW, |(_, area)| area.bottom() + BETWEEN_ROWS);
        Area::new(LEFT + ZONES_WIDTH + 124, first, 236, 0)
    }
}
