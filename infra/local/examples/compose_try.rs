//! try
#![allow(clippy::all)]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let p = stack::Progress::shown();
    match std::env::args().nth(1).as_deref() {
        Some("check") => println!("{:#?}", stack::compose::check(p).await?),
        Some("down") => stack::compose::down(true, p).await?,
        _ => {
            let home = stack::Home::at(std::path::Path::new(".stack/compose"))?;
            stack::compose::up(&home, stack::Ports::default(), false, p).await?
        }
    }
    Ok(())
}
