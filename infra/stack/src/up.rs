//! `cargo stack up` and `down`: a stack in the foreground until Ctrl-C, or in the background under a supervisor.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use nix::sys::signal::Signal;

use crate::home::Home;
use crate::process::ProcessId;
use crate::process::last_lines;
use crate::process::open_log;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::stack::stop_leftovers;
use crate::state::State;
use crate::supervise::StopSignals;
use crate::supervise::watch;
use crate::table;
use progress::Progress;

/// `cargo stack up`: starts a stack and supervises it, or with `detach` starts a supervisor in the background. Passes
/// the text for the terminal to `show`.
///
/// # Errors
/// When it cannot be started, or a process of it keeps ending.
pub async fn up(settings: Settings, detach: bool, show: impl Fn(&str)) -> anyhow::Result<()> {
    let mut stack = Stack::prepare(settings, Progress::shown()).await?;
    let mut signals = StopSignals::listen()?;
    let outcome = tokio::select! {
        started = stack.start_all() => started,
        () = signals.received() => {
            stack.down().await?;
            bail!("stopped before it was up");
        }
    };
    if let Err(error) = outcome {
        stack.down().await?;
        return Err(error);
    }
    show(&table::welcome(&stack.status()?));
    if detach {
        return hand_over(&mut stack).await;
    }
    show("Ctrl-C stops it.\n");
    supervise_until_stopped(&mut stack, &mut signals).await
}

/// `cargo stack supervise`: takes over the processes that `up --detach` started.
///
/// # Errors
/// When there are none, or one keeps ending.
pub async fn supervise(home: Home) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let mut stack = Stack::adopt(home, Progress::shown()).await?;
    supervise_until_stopped(&mut stack, &mut signals).await
}

/// `cargo stack down`: stops what runs in a folder, in order.
///
/// # Errors
/// When nothing runs there, or it does not end.
pub async fn down(home: &Home) -> anyhow::Result<()> {
    let state = State::read(home)?.filter(State::is_alive);
    let Some(state) = state else {
        bail!("no stack runs in {}", home.root().display());
    };
    let step = Progress::shown().step("stopping the stack");
    if state.supervisor.is_alive() {
        state.supervisor.signal(Signal::SIGTERM)?;
        if !state.supervisor.gone_within(Duration::from_mins(2)).await {
            bail!(
                "the supervisor (process {}) does not end; its log is in the stack's folder under logs/",
                state.supervisor.pid
            );
        }
    }
    // Without a supervisor, or if that one was killed, the processes are left behind.
    stop_leftovers(&state).await?;
    State::remove(home)?;
    step.done();
    Ok(())
}

/// Stops the stack of a folder if one runs there.
///
/// # Errors
/// When its state cannot be read, or a process does not end.
pub async fn stop_if_running(home: &Home) -> anyhow::Result<()> {
    match State::read(home)? {
        Some(state) if state.is_alive() => down(home).await,
        _ => Ok(()),
    }
}

async fn supervise_until_stopped(
    stack: &mut Stack,
    signals: &mut StopSignals,
) -> anyhow::Result<()> {
    let outcome = tokio::select! {
        given_up = watch(stack) => given_up,
        () = signals.received() => Ok(()),
    };
    stack.down().await?;
    outcome
}

/// Starts the supervisor in the background and waits until it has taken over.
async fn hand_over(stack: &mut Stack) -> anyhow::Result<()> {
    let home = stack.home().clone();
    let log = home.log("supervisor");
    let file = open_log(&log)?;
    let errors = file.try_clone().context("the log cannot be opened twice")?;
    let program = std::env::current_exe().context("this program cannot be found again")?;
    let child = Command::new(program)
        .arg("supervise")
        .arg("--home")
        .arg(home.root())
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .context("the supervisor cannot be started")?;
    let pid = i32::try_from(child.id()).context("the pid is out of range")?;
    let supervisor = ProcessId::of(pid).context("the supervisor ended at once")?;
    stack.leave();
    let deadline = Instant::now() + Duration::from_secs(10);
    while State::read(&home)?.is_none_or(|state| state.supervisor != supervisor) {
        if !supervisor.is_alive() || Instant::now() > deadline {
            bail!(
                "the supervisor did not take over:\n{}",
                last_lines(&log, 10)
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
