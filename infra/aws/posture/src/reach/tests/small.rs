//! The smallest architecture by which every rule passes, in the form of an assembled document.

mod groups;
mod outside;
mod tiers;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::architecture::Architecture;

const TIERS: [&str; 5] = ["Public", "Web", "App", "Database", "Endpoint"];
const ZONES: [&str; 3] = ["A", "B", "C"];

/// A document that faults are put into.
pub(super) struct Small(Map<String, Value>);

impl Small {
    pub(super) fn new() -> Self {
        let mut small = Self(Map::new());
        small.put("Vpc", "AWS::EC2::VPC", json!({"CidrBlock": "10.0.0.0/16"}));
        for (number, tier) in TIERS.into_iter().enumerate() {
            small.subnets(number, tier);
        }
        small.put("Gateway", "AWS::EC2::InternetGateway", json!({}));
        small.put(
            "GatewayAttachment",
            "AWS::EC2::VPCGatewayAttachment",
            json!({"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}}),
        );
        small.put(
            "WayOut",
            "AWS::EC2::Route",
            json!({"RouteTableId": {"Ref": "PublicRoutes"}, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": {"Ref": "Gateway"}}),
        );
        small.acls();
        groups::put(&mut small);
        tiers::put(&mut small);
        outside::put(&mut small);
        small
    }

    pub(super) fn architecture(&self) -> Architecture {
        Architecture::new(self.0.clone())
    }

    pub(super) fn put(&mut self, id: &str, kind: &str, properties: Value) {
        let metadata = json!({"Stack": "small", "LogicalId": id, "Region": "us-east-1", "Account": "111122223333"});
        let mut resource = json!({"Type": kind, "Metadata": metadata});
        resource["Properties"] = properties;
        self.0.insert(id.to_owned(), resource);
    }

    pub(super) fn remove(&mut self, id: &str) {
        assert!(self.0.shift_remove(id).is_some(), "{id} is not there");
    }

    /// Changes a property, by the slashed path to it; null removes it.
    pub(super) fn set(&mut self, id: &str, path: &str, value: Value) {
        let resource = self
            .0
            .get_mut(id)
            .unwrap_or_else(|| panic!("{id} is not there"));
        let (parents, name) = path.rsplit_once('/').unwrap_or(("", path));
        let pointer = format!("/Properties/{parents}");
        let parent = resource.pointer_mut(pointer.trim_end_matches('/')).unwrap();
        match (parent, value) {
            (Value::Array(items), value) => items[name.parse::<usize>().unwrap()] = value,
            (Value::Object(object), Value::Null) => {
                object.shift_remove(name);
            }
            (parent, value) => parent[name] = value,
        }
    }

    fn subnets(&mut self, number: usize, tier: &str) {
        let routes = format!("{tier}Routes");
        let acl = format!("{tier}Acl");
        self.put(
            &routes,
            "AWS::EC2::RouteTable",
            json!({"VpcId": {"Ref": "Vpc"}}),
        );
        self.put(
            &acl,
            "AWS::EC2::NetworkAcl",
            json!({"VpcId": {"Ref": "Vpc"}}),
        );
        for (place, zone) in ZONES.into_iter().enumerate() {
            let id = format!("{tier}{zone}");
            let block = format!("10.0.{}.0/24", number * 16 + place);
            let zone = format!("us-east-1{}", zone.to_lowercase());
            self.put(
                &id,
                "AWS::EC2::Subnet",
                json!({"VpcId": {"Ref": "Vpc"}, "CidrBlock": block, "AvailabilityZone": zone}),
            );
            self.put(
                &format!("{id}Routes"),
                "AWS::EC2::SubnetRouteTableAssociation",
                json!({"SubnetId": {"Ref": id}, "RouteTableId": {"Ref": routes}}),
            );
            self.put(
                &format!("{id}Acl"),
                "AWS::EC2::SubnetNetworkAclAssociation",
                json!({"SubnetId": {"Ref": id}, "NetworkAclId": {"Ref": acl}}),
            );
        }
    }

    /// An entry for requests and one for responses on each side of each pair of tiers.
    fn acls(&mut self) {
        let inside = [
            ("Public", "Web", 8443),
            ("Web", "App", 9443),
            ("App", "Database", 3306),
            ("Web", "Endpoint", 443),
            ("App", "Endpoint", 443),
        ];
        for (number, (from, to, port)) in (10_usize..).zip(inside) {
            self.entry(from, to, number, true, &block(to), (port, port));
            self.entry(from, to, number, false, &block(to), (1024, 65535));
            self.entry(to, from, number, false, &block(from), (port, port));
            self.entry(to, from, number, true, &block(from), (1024, 65535));
        }
        for egress in [true, false] {
            self.entry("App", "App", 20, egress, &block("App"), (1024, 65535));
            for tier in ["Public", "Web", "App"] {
                let properties = json!({"NetworkAclId": {"Ref": format!("{tier}Acl")}, "RuleNumber": 90, "RuleAction": "deny", "Egress": egress, "Protocol": -1, "CidrBlock": "10.0.0.0/16"});
                let id = format!("{tier}NothingElse{egress}");
                self.put(&id, "AWS::EC2::NetworkAclEntry", properties);
            }
        }
        for (number, port) in [(100, 80), (101, 443)] {
            self.entry("Public", "World", number, false, "0.0.0.0/0", (port, port));
        }
        self.entry("Public", "World", 100, true, "0.0.0.0/0", (1024, 65535));
        for tier in ["Web", "App"] {
            self.entry(tier, "S3", 100, true, "0.0.0.0/0", (443, 443));
            self.entry(tier, "S3", 100, false, "0.0.0.0/0", (1024, 65535));
        }
    }

    fn entry(
        &mut self,
        own: &str,
        other: &str,
        number: usize,
        egress: bool,
        block: &str,
        ports: (u16, u16),
    ) {
        let way = if egress { "To" } else { "From" };
        let id = format!("{own}{way}{other}{}", ports.0);
        let properties = json!({"NetworkAclId": {"Ref": format!("{own}Acl")}, "RuleNumber": number, "RuleAction": "allow", "Egress": egress, "Protocol": 6, "CidrBlock": block, "PortRange": {"From": ports.0, "To": ports.1}});
        self.put(&id, "AWS::EC2::NetworkAclEntry", properties);
    }
}

fn block(tier: &str) -> String {
    let number = TIERS.iter().position(|name| *name == tier).unwrap();
    format!("10.0.{}.0/20", number * 16)
}

fn subnets(tier: &str) -> Value {
    ZONES
        .iter()
        .map(|zone| json!({"Ref": format!("{tier}{zone}")}))
        .collect()
}
