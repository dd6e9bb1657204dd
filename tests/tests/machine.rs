//! The machines of the AWS deployment: the units of `infra/aws/machine`, installed by its
//! `install.sh` from a release of this build, under a real systemd. AWS is simulated: its CLI by a
//! script, KMS by the emulator, RDS by a local server with password authentication alone.

#[cfg(test)]
mod machine {
    mod confinement;
    mod drift;
    mod lifecycle;
    mod metrics;
    mod network_namespace;
    mod programs;
    mod release;
    mod services;
    mod settings;
    mod tiers;
    mod units;
}
