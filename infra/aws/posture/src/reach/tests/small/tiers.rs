//! Load balancers, machines and databases.

use serde_json::Value;
use serde_json::json;

use super::Small;
use super::subnets;

pub(super) fn put(small: &mut Small) {
    balancers(small);
    machines(small);
    databases(small);
}

fn balancers(small: &mut Small) {
    let balancers = [
        ("Front", "application", "internet-facing", "Public"),
        ("Inner", "network", "internal", "App"),
    ];
    for (id, kind, scheme, tier) in balancers {
        let groups = json!([{"Ref": format!("{id}Group")}]);
        let properties = json!({"Type": kind, "Scheme": scheme, "Subnets": subnets(tier), "SecurityGroups": groups});
        small.put(id, "AWS::ElasticLoadBalancingV2::LoadBalancer", properties);
    }
    let listeners = [
        (
            "FrontHttps",
            "Front",
            443,
            "HTTPS",
            json!({"Type": "forward", "TargetGroupArn": {"Ref": "WebTargets"}}),
        ),
        (
            "FrontHttp",
            "Front",
            80,
            "HTTP",
            json!({"Type": "redirect"}),
        ),
        (
            "InnerTcp",
            "Inner",
            9443,
            "TCP",
            json!({"Type": "forward", "TargetGroupArn": {"Ref": "AppTargets"}}),
        ),
    ];
    for (id, balancer, port, protocol, action) in listeners {
        let properties = json!({"LoadBalancerArn": {"Ref": balancer}, "Port": port, "Protocol": protocol, "DefaultActions": [action]});
        small.put(id, "AWS::ElasticLoadBalancingV2::Listener", properties);
    }
}

fn machines(small: &mut Small) {
    for (tier, protocol, port) in [("Web", "HTTPS", 8443), ("App", "TCP", 9443)] {
        let targets = format!("{tier}Targets");
        let template = format!("{tier}Template");
        small.put(
            &targets,
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            json!({"Port": port, "Protocol": protocol}),
        );
        small.put(
            &template,
            "AWS::EC2::LaunchTemplate",
            machine(&format!("{tier}Group")),
        );
        let properties = json!({"VPCZoneIdentifier": subnets(tier), "LaunchTemplate": {"LaunchTemplateId": {"Ref": template}}, "TargetGroupARNs": [{"Ref": targets}]});
        small.put(
            &format!("{tier}Machines"),
            "AWS::AutoScaling::AutoScalingGroup",
            properties,
        );
    }
    small.put(
        "Migration",
        "AWS::EC2::LaunchTemplate",
        machine("MigrationGroup"),
    );
    small.set(
        "Migration",
        "LaunchTemplateData/NetworkInterfaces/0/SubnetId",
        json!({"Ref": "AppA"}),
    );
}

fn databases(small: &mut Small) {
    small.put(
        "DatabaseSubnets",
        "AWS::RDS::DBSubnetGroup",
        json!({"SubnetIds": subnets("Database")}),
    );
    small.put(
            "Database",
            "AWS::RDS::DBInstance",
            json!({"DBSubnetGroupName": {"Ref": "DatabaseSubnets"}, "VPCSecurityGroups": [{"Ref": "DatabaseGroup"}], "PubliclyAccessible": false}),
        );
    let overrides = json!({"dbSubnetGroupName": {"Ref": "DatabaseSubnets"}, "publiclyAccessible": "false", "vpcSecurityGroupIds": {"Fn::Sub": "[\"${RestoreGroup.GroupId}\"]"}});
    let properties = json!({"ProtectedResourceType": "RDS", "RestoreMetadataOverrides": overrides});
    small.put(
        "Restore",
        "AWS::Backup::RestoreTestingSelection",
        properties,
    );
}

fn machine(group: &str) -> Value {
    let interface = json!({"DeviceIndex": 0, "AssociatePublicIpAddress": false, "Groups": [{"Fn::GetAtt": [group, "GroupId"]}]});
    json!({"LaunchTemplateData": {"NetworkInterfaces": [interface]}})
}
