//! Security groups, each naming the next.

use serde_json::Value;
use serde_json::json;

use super::Small;

pub(super) fn put(small: &mut Small) {
    let nowhere = json!({"IpProtocol": "-1", "CidrIp": "127.0.0.1/32"});
    let aws = to(443, "EndpointGroup");
    let s3 = tcp(443, "DestinationPrefixListId", &json!("pl-63a5400a"));
    let out = |port, group| vec![to(port, group), aws.clone(), s3.clone()];
    let front = vec![world(443), world(80)];
    let database = vec![from(3306, "AppGroup"), from(3306, "MigrationGroup")];
    let callers = ["WebGroup", "AppGroup", "MigrationGroup"];
    let endpoint = callers.map(|group| from(443, group)).to_vec();
    let groups = [
        ("FrontGroup", front, vec![to(8443, "WebGroup")]),
        (
            "WebGroup",
            vec![from(8443, "FrontGroup")],
            out(9443, "InnerGroup"),
        ),
        (
            "InnerGroup",
            vec![from(9443, "WebGroup")],
            vec![to(9443, "AppGroup")],
        ),
        ("AppGroup", vec![], out(3306, "DatabaseGroup")),
        ("MigrationGroup", vec![], out(3306, "DatabaseGroup")),
        ("DatabaseGroup", database, vec![nowhere.clone()]),
        ("EndpointGroup", endpoint, vec![nowhere.clone()]),
        ("RestoreGroup", vec![], vec![nowhere]),
        ("BuildGroup", vec![], vec![world(443)]),
    ];
    for (id, ingress, egress) in groups {
        let properties = json!({"SecurityGroupIngress": ingress, "SecurityGroupEgress": egress});
        small.put(id, "AWS::EC2::SecurityGroup", properties);
    }
    // One as a resource of its own.
    let mut own = from(9443, "InnerGroup");
    own["GroupId"] = json!({"Ref": "AppGroup"});
    small.put("AppFromInner", "AWS::EC2::SecurityGroupIngress", own);
}

fn tcp(port: u16, peer: &str, value: &Value) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, peer: value})
}

fn to(port: u16, group: &str) -> Value {
    let group = json!({"Fn::GetAtt": [group, "GroupId"]});
    tcp(port, "DestinationSecurityGroupId", &group)
}

fn from(port: u16, group: &str) -> Value {
    let group = json!({"Fn::GetAtt": [group, "GroupId"]});
    tcp(port, "SourceSecurityGroupId", &group)
}

fn world(port: u16) -> Value {
    tcp(port, "CidrIp", &json!("0.0.0.0/0"))
}
