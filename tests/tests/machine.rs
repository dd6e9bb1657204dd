//! The machines of the architecture on AWS: the units of `infra/aws/machine`, installed by its own
//! `install.sh` from a release of this build, under a real systemd. AWS itself is played: its CLI by a script,
//! KMS by the emulator, RDS by a local server that knows passwords alone.

#[cfg(test)]
mod machine {
    mod apart;
    mod around;
    mod confinement;
    mod life;
    mod metrics;
    mod release;
    mod tiers;
    mod truth;
    mod units;
}
