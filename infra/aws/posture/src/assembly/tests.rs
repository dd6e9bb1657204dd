//! Tests of the assembly: links between stacks, unresolved names, circles.

use std::fs;

use super::*;

/// Two stacks: an output of one is a parameter of the other.
fn templates(main: &str) -> Templates {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("main.yaml", main);
    write(
        "network.yaml",
        "Parameters:
  Cidr: {Type: String, AllowedPattern: '[0-9./]+'}
Resources:
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: !Ref Cidr}}
  First: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref Vpc, CidrBlock: !Select [1, !Cidr [!Ref Cidr, 4, 8]]}}
  Second: {Type: 'AWS::EC2::Subnet', DependsOn: First, Properties: {VpcId: !Ref Vpc}}
Outputs:
  Subnets: {Value: !Join [',', [!Ref First, !Ref Second]]}
",
    );
    write(
        "database.yaml",
        "Parameters:
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>'}
  Multi: {Type: String, Default: 'true', AllowedValues: ['true', 'false']}
Conditions:
  IsMulti: !Equals [!Ref Multi, 'true']
Resources:
  Group: {Type: 'AWS::RDS::DBSubnetGroup', Properties: {SubnetIds: !Ref Subnets}}
  Instance:
    Type: AWS::RDS::DBInstance
    Properties:
      DBSubnetGroupName: !Ref Group
      MultiAZ: !Ref Multi
      Tags: [{Key: arn, Value: !Sub 'arn:${AWS::Partition}:x:${AWS::Region}:${Group}'}]
      KmsKeyId: !If [IsMulti, !Ref 'AWS::NoValue', none]
  Replica: {Type: 'AWS::RDS::DBInstance', Condition: IsMulti}
",
    );
    Templates::read(folder.path()).unwrap()
}

const MAIN: &str = "
Parameters:
  Environment: {Type: String}
Resources:
  Database:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./database.yaml, Parameters: {Subnets: !GetAtt Network.Outputs.Subnets}}
  Network:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./network.yaml, Parameters: {Cidr: 10.0.0.0/16}}
";

fn assembled(main: &str) -> Result<Architecture, InputError> {
    let environment = Environment {
        name: "dev".to_owned(),
        deployments: vec![Deployment {
            template: "main",
            prefix: "",
            region: "us-east-1".to_owned(),
            account: "111122223333".to_owned(),
            parameters: Map::from_iter([("Environment".to_owned(), json!("dev"))]),
        }],
    };
    assemble(&templates(main), &environment)
}

#[test]
fn stacks_are_linked_in_any_order() {
    let architecture = assembled(MAIN).unwrap();
    let property =
        |id: &str, path: &str| architecture.resource(id).unwrap().property(path).cloned();
    let subnets = json!([{"Ref": "NetworkFirst"}, {"Ref": "NetworkSecond"}]);
    assert_eq!(property("DatabaseGroup", "SubnetIds"), Some(subnets));
    assert_eq!(
        property("NetworkFirst", "CidrBlock"),
        Some(json!("10.0.1.0/24"))
    );
    assert_eq!(property("DatabaseInstance", "MultiAZ"), Some(json!(true)));
    assert_eq!(property("DatabaseInstance", "KmsKeyId"), None);
    let arn = json!({"Fn::Sub": "arn:aws:x:us-east-1:${DatabaseGroup}"});
    assert_eq!(property("DatabaseInstance", "Tags/0/Value"), None);
    let tags = property("DatabaseInstance", "Tags").unwrap();
    assert_eq!(tags.pointer("/0/Value"), Some(&arn));
    assert!(architecture.resource("DatabaseReplica").is_some());
    let second = architecture.resource("NetworkSecond").unwrap();
    assert_eq!(
        second.definition.get("DependsOn"),
        Some(&json!(["NetworkFirst"]))
    );
    assert_eq!((second.stack(), second.region()), ("network", "us-east-1"));
}

#[test]
fn an_unresolved_name_is_reported_with_its_location() {
    let faults = [
        (
            "Outputs.Subnets",
            "Outputs.Subnet",
            "main/Database/Parameters/Subnets/Fn::GetAtt: the stack Network has no output Subnet",
        ),
        (
            "Cidr: 10.0.0.0/16",
            "Cidr: ten",
            "Network/Parameters/Cidr: ten does not match [0-9./]+",
        ),
        (
            "Cidr: 10.0.0.0/16",
            "Cidr: !Ref Nobody",
            "Network/Parameters/Cidr/Ref: there is no Nobody",
        ),
        ("./network.yaml", "./net.yaml", "there is no template net"),
    ];
    for (from, to, message) in faults {
        let fault = assembled(&MAIN.replace(from, to)).unwrap_err().to_string();
        assert!(fault.contains(message), "{fault}");
    }
}

#[test]
fn a_circle_between_stacks_is_refused() {
    let main = MAIN.replace("10.0.0.0/16", "!GetAtt Database.Outputs.X");
    let fault = assembled(&main).unwrap_err().to_string();
    assert!(fault.contains("depends on itself"), "{fault}");
}
