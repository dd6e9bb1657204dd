//! Architectures with one fault each, and the rule that must detect it.

use serde_json::Value;
use serde_json::json;

use super::small::Small;

/// A rule, a fault in words, and the change that introduces it.
type Fault = (&'static str, &'static str, fn(&mut Small));

const UNDERSTOOD: &str = "everything_that_carries_traffic_is_understood";
const INTERNET: &str = "the_internet_reaches_only_the_load_balancer_on_80_and_443";
const PUBLIC: &str = "only_the_load_balancer_has_a_public_address";
const PATH: &str = "the_only_way_from_the_internet_to_the_database_is_balancer_web_balancer_app";
const DATABASE: &str = "only_app_and_migration_reach_the_database_port";
const MIGRATION: &str = "nothing_reaches_the_migration_machine";
const PEERS: &str = "tiers_cannot_reach_their_peers";
const CHAIN: &str = "each_tier_is_reached_only_from_the_one_before";
const ROUTES: &str = "no_tier_has_a_route_to_the_internet";
const LEAVES: &str = "nothing_leaves_but_to_listed_endpoints";
const POLICY: &str = "every_endpoint_has_a_policy_of_its_own";
const NAMES: &str = "the_resolver_answers_listed_names_alone";
const CLEAR: &str = "no_balancer_speaks_in_the_clear_or_to_another_port";
const ZONES: &str = "every_tier_stands_in_three_zones";
const GROUPS: &str = "security_groups_alone_keep_the_tiers_apart";
const ACLS: &str = "network_acls_alone_keep_the_tiers_apart";
const FLOWS: &str = "groups_acls_and_routes_let_every_listed_flow_pass";
const NEEDED: &str = "every_allowed_flow_is_needed";

pub(super) const FAULTS: &[Fault] = &[
    (UNDERSTOOD, "networks are peered", |small| {
        small.put("New", "AWS::EC2::VPCPeeringConnection", json!({}));
    }),
    (UNDERSTOOD, "a NAT gateway", |small| {
        small.put("New", "AWS::EC2::NatGateway", json!({}));
    }),
    (UNDERSTOOD, "an elastic IP address", |small| {
        small.put("New", "AWS::EC2::EIP", json!({}));
    }),
    (UNDERSTOOD, "a transit gateway", |small| {
        small.put("New", "AWS::EC2::TransitGatewayAttachment", json!({}));
    }),
    (UNDERSTOOD, "a function in the network", |small| {
        small.put("New", "AWS::Lambda::Function", json!({}));
    }),
    (
        UNDERSTOOD,
        "the group of a machine is not declared",
        |small| {
            let path = "LaunchTemplateData/NetworkInterfaces/0/Groups";
            small.set("WebTemplate", path, json!(["sg-0123456789abcdef0"]));
        },
    ),
    (UNDERSTOOD, "a machine without a group", |small| {
        let path = "LaunchTemplateData/NetworkInterfaces/0/Groups";
        small.set("WebTemplate", path, Value::Null);
    }),
    (UNDERSTOOD, "a rule with an invalid port", |small| {
        small.set("AppFromInner", "ToPort", json!({"Ref": "Port"}));
    }),
    (UNDERSTOOD, "a rule names an unknown prefix list", |small| {
        let list = json!("pl-0123456789abcdef0");
        small.set(
            "AppGroup",
            "SecurityGroupEgress/2/DestinationPrefixListId",
            list,
        );
    }),
    (
        UNDERSTOOD,
        "a nested stack that is not assembled",
        |small| {
            small.put("New", "AWS::CloudFormation::Stack", json!({}));
        },
    ),
    (UNDERSTOOD, "a rule for IPv6", |small| {
        small.set("AppFromInner", "CidrIpv6", json!("::/0"));
    }),
    (UNDERSTOOD, "an ACL entry for IPv6", |small| {
        small.set("DatabaseFromApp3306", "Ipv6CidrBlock", json!("::/0"));
    }),
    (UNDERSTOOD, "a rule of an undeclared group", |small| {
        small.set("AppFromInner", "GroupId", json!("sg-0123456789abcdef0"));
    }),
    (UNDERSTOOD, "a route to a peered network", |small| {
        small.set("WayOut", "VpcPeeringConnectionId", json!("pcx-1"));
    }),
    (UNDERSTOOD, "an attached VPN gateway", |small| {
        small.set("GatewayAttachment", "VpnGatewayId", json!("vgw-1"));
    }),
    (UNDERSTOOD, "a subnet without a route table", |small| {
        small.remove("WebARoutes");
    }),
    (
        UNDERSTOOD,
        "the migration machine without a subnet",
        |small| {
            let path = "LaunchTemplateData/NetworkInterfaces/0/SubnetId";
            small.set("Migration", path, Value::Null);
        },
    ),
    (
        UNDERSTOOD,
        "no load balancer forwards to the machines",
        |small| {
            small.set("AppMachines", "TargetGroupARNs", json!([]));
        },
    ),
    (UNDERSTOOD, "targets by IP address", |small| {
        small.set("AppTargets", "TargetType", json!("ip"));
    }),
    (UNDERSTOOD, "images are built in the network", |small| {
        small.set("Builder", "SubnetId", json!({"Ref": "PublicA"}));
    }),
    (INTERNET, "the load balancer accepts SSH", |small| {
        small.set("FrontGroup", "SecurityGroupIngress/0/FromPort", json!(22));
        small.set("PublicFromWorld443", "PortRange/From", json!(22));
    }),
    (INTERNET, "the internet reaches nothing", |small| {
        small.remove("WayOut");
    }),
    (PUBLIC, "web has public addresses", |small| {
        let path = "LaunchTemplateData/NetworkInterfaces/0/AssociatePublicIpAddress";
        small.set("WebTemplate", path, json!(true));
    }),
    (PUBLIC, "a subnet assigns public addresses", |small| {
        small.set("EndpointB", "MapPublicIpOnLaunch", json!(true));
    }),
    (PUBLIC, "the database is public", |small| {
        small.set("Database", "PubliclyAccessible", json!(true));
    }),
    (PUBLIC, "the database is public by default", |small| {
        small.set("Database", "PubliclyAccessible", Value::Null);
    }),
    (PUBLIC, "a restored database is public", |small| {
        small.set(
            "Restore",
            "RestoreMetadataOverrides/publiclyAccessible",
            json!("true"),
        );
    }),
    (PATH, "web is in the group of app", web_in_the_group_of_app),
    (PATH, "app accepts no connections", |small| {
        small.remove("AppFromInner");
    }),
    (
        DATABASE,
        "web is in the group of app",
        web_in_the_group_of_app,
    ),
    (DATABASE, "the database accepts more ports", |small| {
        small.set(
            "DatabaseGroup",
            "SecurityGroupIngress/0/FromPort",
            json!(22),
        );
        small.set("AppGroup", "SecurityGroupEgress/0/FromPort", json!(22));
        small.set("DatabaseFromApp3306", "PortRange/From", json!(22));
        small.set("AppToDatabase3306", "PortRange/From", json!(22));
    }),
    (
        DATABASE,
        "the restored database accepts connections",
        |small| {
            let groups = json!({"Fn::Sub": "[\"${DatabaseGroup.GroupId}\"]"});
            small.set(
                "Restore",
                "RestoreMetadataOverrides/vpcSecurityGroupIds",
                groups,
            );
        },
    ),
    (
        MIGRATION,
        "the migration machine accepts connections",
        |small| {
            let rule =
                json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/16"});
            small.set("MigrationGroup", "SecurityGroupIngress", json!([rule]));
        },
    ),
    (
        MIGRATION,
        "the migration machine is in the group of app",
        |small| {
            let path = "LaunchTemplateData/NetworkInterfaces/0/Groups";
            small.set("Migration", path, json!([{"Ref": "AppGroup"}]));
        },
    ),
    (PEERS, "apps may connect to each other", |small| {
        let group = json!({"Ref": "AppGroup"});
        small.set("AppFromInner", "SourceSecurityGroupId", group.clone());
        small.set(
            "AppGroup",
            "SecurityGroupEgress/0/DestinationSecurityGroupId",
            group,
        );
        small.set("AppGroup", "SecurityGroupEgress/0/ToPort", json!(9443));
    }),
    (CHAIN, "web is in the group of app", web_in_the_group_of_app),
    (ROUTES, "web has a route to the internet", |small| {
        let mut route =
            json!({"RouteTableId": {"Ref": "WebRoutes"}, "GatewayId": {"Ref": "Gateway"}});
        route["DestinationCidrBlock"] = json!("0.0.0.0/0");
        small.put("New", "AWS::EC2::Route", route);
    }),
    (
        ROUTES,
        "a subnet of the database has the public routes",
        |small| {
            small.set(
                "DatabaseBRoutes",
                "RouteTableId",
                json!({"Ref": "PublicRoutes"}),
            );
        },
    ),
    (LEAVES, "an endpoint of another service", |small| {
        small.set("Kms", "ServiceName", json!("com.amazonaws.us-east-1.sqs"));
    }),
    (
        LEAVES,
        "the load balancer may reach the internet",
        |small| {
            let rule = json!({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"});
            small.set("FrontGroup", "SecurityGroupEgress/0", rule);
        },
    ),
    (LEAVES, "the load balancer has default egress", |small| {
        small.set("FrontGroup", "SecurityGroupEgress", Value::Null);
    }),
    (POLICY, "an endpoint without a policy", |small| {
        small.set("Kms", "PolicyDocument", Value::Null);
    }),
    (POLICY, "a policy without a condition", |small| {
        small.set("S3", "PolicyDocument/Statement/0/Condition", Value::Null);
    }),
    (POLICY, "a policy for all actions", |small| {
        small.set("S3", "PolicyDocument/Statement/0/Action", json!("*"));
    }),
    (NAMES, "no DNS firewall", |small| {
        small.remove("NamesOfVpc");
    }),
    (NAMES, "the DNS firewall allows all domains", |small| {
        small.set("Names", "FirewallRules/0/Action", json!("ALERT"));
    }),
    (NAMES, "the DNS firewall allows other domains", |small| {
        small.set("OwnNames", "Domains", json!(["*.example.com"]));
    }),
    (CLEAR, "HTTP to web", |small| {
        small.set("WebTargets", "Protocol", json!("HTTP"));
    }),
    (CLEAR, "the internal balancer terminates TLS", |small| {
        small.set("InnerTcp", "Protocol", json!("TLS"));
    }),
    (CLEAR, "port 80 forwards", |small| {
        let action = json!({"Type": "forward", "TargetGroupArn": {"Ref": "WebTargets"}});
        small.set("FrontHttp", "DefaultActions", json!([action]));
    }),
    (CLEAR, "health checks on another port", |small| {
        small.set("WebTargets", "HealthCheckPort", json!("8080"));
    }),
    (ZONES, "app is in two zones", |small| {
        small.set("AppMachines", "VPCZoneIdentifier/2", json!({"Ref": "AppA"}));
    }),
    (
        GROUPS,
        "only an ACL separates web from the database",
        |small| {
            web_in_the_group_of_app(small);
            small.remove("WebToEndpoint443");
        },
    ),
    (
        ACLS,
        "only groups and web's ACL separate web from the database",
        |small| {
            small.set("DatabaseFromApp3306", "CidrBlock", json!("10.0.0.0/16"));
        },
    ),
    (ACLS, "web's ACL denies nothing in the network", |small| {
        small.remove("WebNothingElsetrue");
    }),
    (
        ACLS,
        "a subnet of the database has the default ACL",
        |small| small.remove("DatabaseCAcl"),
    ),
    (ACLS, "the internet entry has more ports", |small| {
        small.set("PublicFromWorld443", "PortRange/From", json!(22));
    }),
    (FLOWS, "the database's responses are denied", |small| {
        small.remove("DatabaseToApp1024");
    }),
    (FLOWS, "responses to some ports are denied", |small| {
        small.set("AppFromDatabase1024", "PortRange/From", json!(32768));
    }),
    (
        FLOWS,
        "one zone of the database is not reachable",
        |small| {
            small.set("AppToDatabase3306", "CidrBlock", json!("10.0.48.0/23"));
        },
    ),
    (FLOWS, "S3 is not in app's routes", |small| {
        small.set("S3", "RouteTableIds", json!([{"Ref": "WebRoutes"}]));
    }),
    (FLOWS, "a deny entry comes first", |small| {
        small.set("WebNothingElsetrue", "RuleNumber", json!(1));
    }),
    (NEEDED, "a rule for an unused port", |small| {
        small.set("WebGroup", "SecurityGroupIngress/0/FromPort", json!(8080));
    }),
    (
        NEEDED,
        "app may reach the internet, without a route",
        |small| {
            let rule =
                json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"});
            small.set("AppGroup", "SecurityGroupEgress/2", rule);
        },
    ),
    (NEEDED, "an ACL entry covers more of the network", |small| {
        small.set("DatabaseFromApp3306", "CidrBlock", json!("10.0.0.0/16"));
    }),
    (NEEDED, "an ACL entry covers more ports", |small| {
        small.set("DatabaseFromApp3306", "PortRange/To", json!(3307));
    }),
];

fn web_in_the_group_of_app(small: &mut Small) {
    let groups = json!([{"Ref": "WebGroup"}, {"Ref": "AppGroup"}]);
    small.set(
        "WebTemplate",
        "LaunchTemplateData/NetworkInterfaces/0/Groups",
        groups,
    );
    // The ACLs as well, or they would hold it.
    for acl in ["DatabaseFromApp3306", "DatabaseToApp1024"] {
        small.set(acl, "CidrBlock", json!("10.0.0.0/16"));
    }
    let to = json!({"NetworkAclId": {"Ref": "WebAcl"}, "RuleNumber": 50, "RuleAction": "allow", "Egress": true, "Protocol": -1, "CidrBlock": "10.0.48.0/20"});
    let mut from = to.clone();
    from["Egress"] = json!(false);
    small.put("WebToDatabase", "AWS::EC2::NetworkAclEntry", to);
    small.put("WebFromDatabase", "AWS::EC2::NetworkAclEntry", from);
}
