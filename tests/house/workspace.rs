//! The workspace as the tests see it: its files, and what cargo knows of its crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What is built or left by runs, never committed; `.git` is a file where it is one worktree of several.
const NOT_OURS: [&str; 6] =
    [".git", "target", "node_modules", "wayleave-demo", "corpus", "artifacts"];

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the root")
}

/// A file of the project as text, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every file of the project, as paths from the root, in order.
pub(crate) fn files() -> &'static [String] {
    static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut found = Vec::new();
        walk(root(), &mut found);
        found.sort();
        found
    });
    &FILES
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy();
        if NOT_OURS.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            let path = path.strip_prefix(root()).expect("walked from the root");
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

/// Every Rust file of the project: its path and its text.
pub(crate) fn rust_files() -> impl Iterator<Item = (&'static str, String)> {
    files().iter().filter(|path| path.ends_with(".rs")).map(|path| (path.as_str(), read(path)))
}

/// One crate of the workspace.
pub(crate) struct Crate {
    /// Its folder from the root: `proto/ice`.
    pub folder: String,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a crate.
pub(crate) struct Dependency {
    /// The folder of a crate of ours (`proto/stun`), the package's name of any other.
    pub name: String,
    /// Whether it is a crate of ours.
    pub ours: bool,
    /// Whether only tests and examples use it.
    pub dev: bool,
}

/// Every crate of the workspace, as `cargo metadata` tells it.
pub(crate) fn crates() -> &'static [Crate] {
    static CRATES: LazyLock<Vec<Crate>> = LazyLock::new(|| {
        let metadata = MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .no_deps()
            .exec()
            .expect("cargo metadata");
        metadata.packages.iter().map(|package| from_metadata(&metadata, package)).collect()
    });
    &CRATES
}

fn from_metadata(metadata: &Metadata, package: &cargo_metadata::Package) -> Crate {
    let folder_of = |path: PathBuf| {
        let path = path.strip_prefix(&metadata.workspace_root).expect("a crate stands inside");
        path.to_string_lossy().into_owned()
    };
    let manifest = package.manifest_path.parent().expect("a manifest stands in a folder");
    let dependencies = package.dependencies.iter().map(|dependency| Dependency {
        name: match &dependency.path {
            Some(path) => folder_of(path.clone().into()),
            None => dependency.name.clone(),
        },
        ours: dependency.path.is_some(),
        dev: dependency.kind == DependencyKind::Development,
    });
    Crate { folder: folder_of(manifest.into()), dependencies: dependencies.collect() }
}
