//! `topsell lake upgrade`.

use crate::failure::{Exit, Failure};
use crate::settings::Settings;
use topsell_core::lake::{
    CURRENT_FORMAT, DryRun, UpgradePlan, UpgradeStep, apply_upgrade, lock_for_upgrade, plan_upgrade,
};
use topsell_core::pipeline::StepError;
use topsell_core::storage::LockTimeout;
use topsell_ops::process::machine_name;

/// Upgrades the lake, or prints the steps.
///
/// # Errors
/// Fails where there is no lake, its format is newer, or another run holds a lock.
pub fn run(settings: &Settings, dry_run: DryRun, lock_timeout: LockTimeout) -> Result<Exit, Failure> {
    let store = settings.store_of_any_format()?;
    let plan = plan_upgrade(&store)?;
    if plan.steps.is_empty() {
        settings.note(&format!("upgrade: the lake has format {CURRENT_FORMAT} already; nothing changed"));
        return Ok(Exit::Success);
    }
    if dry_run == DryRun::Yes {
        settings
            .answer(|out| plan.steps.iter().try_for_each(|step| writeln!(out, "upgrade {}", line(step))))?;
        settings.note(&format!("upgrade: would upgrade the lake {}", span(&plan)));
        return Ok(Exit::Success);
    }
    let process = std::process::id();
    let holder = format!("upgrade (process {process}, host {}, since {})", machine_name(), settings.now);
    let locks = lock_for_upgrade(&store, &holder, lock_timeout).map_err(StepError::from)?;
    // Another upgrade may have held the locks until now.
    let plan = plan_upgrade(&store)?;
    apply_upgrade(&store, &locks, &plan, settings.now.micros() / 1_000)?;
    for step in plan.steps {
        settings.note(&format!("upgrade: {}", line(step)));
    }
    settings.note(&format!("upgrade: upgraded the lake {}", span(&plan)));
    Ok(Exit::Success)
}

fn line(step: &UpgradeStep) -> String {
    format!("{} to {}: {}", step.from, step.from + 1, step.summary)
}

fn span(plan: &UpgradePlan) -> String {
    format!("from format {} to {CURRENT_FORMAT}", plan.from)
}
