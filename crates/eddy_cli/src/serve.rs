//! `eddy serve`: a static server for the built page, on 127.0.0.1 only.

use std::{
    fs::File,
    path::{Component, Path, PathBuf},
};

use clap::Args as ClapArgs;
use eddy_experiments::spec::{EddyError, decode_component};
use tiny_http::{Header, Response, Server, StatusCode};

#[derive(ClapArgs)]
pub struct Args {
    /// Port; the next free one is taken if it is in use.
    #[arg(default_value_t = 8000)]
    port: u16,
    /// Folder with the built page.
    #[arg(long, default_value = "web/dist")]
    dir: PathBuf,
}

pub fn run(args: &Args) -> Result<i32, EddyError> {
    if !args.dir.join("index.html").is_file() {
        return Err(EddyError::new(
            "page-missing",
            format!("There is no built page in this folder; “./eddy build” makes it: {}", args.dir.display()),
        ));
    }
    let (server, port) = bind(args.port)?;
    println!("Eddy is at http://127.0.0.1:{port}/  (Ctrl+C stops it)");
    for request in server.incoming_requests() {
        let respond = match resolve(&args.dir, request.url()) {
            Some(path) => match File::open(&path) {
                Ok(file) => {
                    let response = Response::from_file(file)
                        .with_header(header("Content-Type", content_type(&path)))
                        .with_header(header("Cache-Control", cache_control(&path)));
                    request.respond(response)
                }
                Err(_) => not_found(request),
            },
            None => not_found(request),
        };
        // A reader that went away is its own business.
        drop(respond);
    }
    Ok(0)
}

fn bind(wanted: u16) -> Result<(Server, u16), EddyError> {
    let last = wanted.saturating_add(50);
    for port in wanted..=last {
        if let Ok(server) = Server::http(("127.0.0.1", port)) {
            return Ok((server, port));
        }
    }
    Err(EddyError::new("port", format!("No free port between {wanted} and {last}. Name another: ./eddy serve PORT")))
}

fn not_found(request: tiny_http::Request) -> std::io::Result<()> {
    request.respond(Response::from_string("Not found").with_status_code(StatusCode(404)))
}

/// The file that a URL names, or `None` if there is none inside `root`.
fn resolve(root: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let path = decode_component(path)?;
    let relative = Path::new(path.trim_start_matches('/'));
    // Only plain names: nothing that leaves the folder.
    if relative.components().any(|c| !matches!(c, Component::Normal(_))) || path.contains('\\') {
        return None;
    }
    let full = root.join(relative);
    let full = if full.is_dir() { full.join("index.html") } else { full };
    full.is_file().then_some(full)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name.as_bytes(), value.as_bytes()).expect("both are ASCII constants")
}

fn cache_control(path: &Path) -> &'static str {
    // Vite puts a hash of the contents into the names under assets/.
    if path.components().any(|c| c.as_os_str() == "assets") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "ico" => "image/x-icon",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert!(resolve(&root, "/main.rs?x=1").is_some());
        for url in [
            "/../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "//etc/passwd",
            "/..%2fCargo.toml",
            "/./../Cargo.toml",
            "/a\\b",
            "/%zz",
        ] {
            assert!(resolve(&root, url).is_none(), "{url}");
        }
    }
}
