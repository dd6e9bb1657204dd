//! What leads out, or could.

use serde_json::json;

use super::Small;
use super::subnets;

pub(super) fn put(small: &mut Small) {
    let policy = json!({"Statement": [{"Sid": "Own", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}}]});
    small.put(
            "Kms",
            "AWS::EC2::VPCEndpoint",
            json!({"ServiceName": "com.amazonaws.us-east-1.kms", "VpcEndpointType": "Interface", "SubnetIds": subnets("Endpoint"), "SecurityGroupIds": [{"Ref": "EndpointGroup"}], "PolicyDocument": policy}),
        );
    small.put(
            "S3",
            "AWS::EC2::VPCEndpoint",
            json!({"ServiceName": "com.amazonaws.us-east-1.s3", "VpcEndpointType": "Gateway", "RouteTableIds": [{"Ref": "WebRoutes"}, {"Ref": "AppRoutes"}], "PolicyDocument": policy}),
        );
    small.put(
        "OwnNames",
        "AWS::Route53Resolver::FirewallDomainList",
        json!({"Domains": ["*.amazonaws.com"]}),
    );
    small.put(
        "AllNames",
        "AWS::Route53Resolver::FirewallDomainList",
        json!({"Domains": ["*"]}),
    );
    let rules = json!([
        {"Priority": 2, "Action": "BLOCK", "FirewallDomainListId": {"Ref": "AllNames"}},
        {"Priority": 1, "Action": "ALLOW", "FirewallDomainListId": {"Ref": "OwnNames"}},
    ]);
    small.put(
        "Names",
        "AWS::Route53Resolver::FirewallRuleGroup",
        json!({"FirewallRules": rules}),
    );
    let properties = json!({"VpcId": {"Ref": "Vpc"}, "FirewallRuleGroupId": {"Ref": "Names"}});
    small.put(
        "NamesOfVpc",
        "AWS::Route53Resolver::FirewallRuleGroupAssociation",
        properties,
    );
    let properties = json!({"SubnetId": "subnet-0123456789abcdef0", "SecurityGroupIds": [{"Ref": "BuildGroup"}]});
    small.put(
        "Builder",
        "AWS::ImageBuilder::InfrastructureConfiguration",
        properties,
    );
}
