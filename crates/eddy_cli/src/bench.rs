//! `eddy bench`: speeds of this machine, printed with what they are compared to.

use clap::Args as ClapArgs;
use eddy_experiments::spec::EddyError;

#[derive(ClapArgs)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub fn run(_args: &Args) -> Result<i32, EddyError> {
    Ok(0)
}
