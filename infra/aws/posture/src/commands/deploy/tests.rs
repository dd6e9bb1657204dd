//! Deployments into an emulator of AWS: change sets, templates in a bucket, nested stacks and their outputs. It has no
//! instance refresh, and runs no machine.

use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use posture::Environment;
use serde_json::json;

use super::aws::Aws;
use super::stack_deployment::StackDeployment;
use super::stacks;
use super::target::StackName;
use progress::Progress;
use tools::Python;

/// The emulator of AWS.
const MOTO: Python = Python {
    name: "moto-cloudformation",
    requirements: include_str!("../../../requirements/moto-cloudformation.txt"),
};

const IMAGE: &str = "
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: artifacts-of-a-test
Outputs:
  ArtifactBucketName: {Value: !Ref Bucket}
  ArtifactsKeyArn: {Value: arn:aws:kms:us-east-1:111122223333:key/1}
";

const MAIN: &str = "
Parameters:
  Environment: {Type: String}
  Retention: {Type: Number}
  ArtifactBucketName: {Type: String}
  ArtifactsKeyArn: {Type: String}
Resources:
  Logs:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./logs.yaml
      Parameters:
        Environment: !Ref Environment
        Retention: !Ref Retention
Outputs:
  GroupName: {Value: !GetAtt Logs.Outputs.GroupName}
";

const LOGS: &str = "
Parameters:
  Environment: {Type: String}
  Retention: {Type: Number}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub /test/${Environment}
      RetentionInDays: !Ref Retention
Outputs:
  GroupName: {Value: !Ref Group}
";

/// The emulator. Stops when dropped.
struct Moto {
    server: Child,
    aws: Aws,
}

impl Moto {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let server = Command::new(
            MOTO.obtain(Progress::hidden())
                .unwrap()
                .join("bin/moto_server"),
        )
        .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
        .env("MOTO_ACCOUNT_ID", "111122223333")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        let mut aws = Aws::find(Progress::hidden()).unwrap();
        let variables = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        aws.variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        Self { server, aws }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn environment(folder: &Path, account: &str, retention: u16) -> Environment {
    let text = format!(
        "region = 'us-east-1'\naccount = '{account}'\n[image]\n[main]\nRetention = {retention}\n"
    );
    fs::write(folder.join("dev.toml"), text).unwrap();
    let mut environment = Environment::read(folder, "dev").unwrap();
    for deployment in &mut environment.deployments {
        if deployment.template == "image" {
            deployment.parameters.clear();
        }
    }
    environment
}

#[test]
fn a_stack_is_deployed_with_its_nested_stacks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("templates")).unwrap();
    for (name, text) in [("image", IMAGE), ("main", MAIN), ("logs", LOGS)] {
        fs::write(folder.join(format!("templates/{name}.yaml")), text).unwrap();
    }
    let moto = Moto::start();
    let hidden = Progress::hidden();

    let dev = environment(folder, "444455556666", 30);
    let elsewhere = StackDeployment::with_cli(folder, &dev, StackName::Image, &moto.aws);
    let refusal = elsewhere.err().unwrap().to_string();
    assert!(
        refusal.contains("you are signed in to 111122223333"),
        "{refusal}"
    );

    let dev = environment(folder, "111122223333", 30);
    let main = StackDeployment::with_cli(folder, &dev, StackName::Main, &moto.aws).unwrap();
    let refusal = main.change_set(None, hidden).unwrap_err().to_string();
    assert!(refusal.contains("--stack image"), "{refusal}");

    let image = StackDeployment::with_cli(folder, &dev, StackName::Image, &moto.aws).unwrap();
    let changes = image.change_set(None, hidden).unwrap().unwrap();
    assert!(
        changes
            .to_string()
            .contains("Add     Bucket (AWS::S3::Bucket)")
    );
    changes.discard(&image.aws).unwrap();
    assert!(stacks::outputs(&image.aws, &image.name).unwrap().is_none());
    // The emulator computes no outputs of a stack that a change set created.
    let input = json!({ "StackName": image.name, "TemplateBody": IMAGE });
    image
        .aws
        .call("cloudformation", "create-stack", &input)
        .unwrap();

    let changes = main.change_set(None, hidden).unwrap().unwrap();
    assert!(
        changes
            .to_string()
            .contains("Logs (AWS::CloudFormation::Stack)")
    );
    changes.execute(&main.aws, hidden).unwrap();
    let groups = main
        .aws
        .call("logs", "describe-log-groups", &json!({}))
        .unwrap();
    assert_eq!(groups["logGroups"][0]["logGroupName"], "/test/dev");
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 30);
}
