//! The architecture of `app/src`: imports point to lower layers, and no modules import each other
//! in a circle.

#![expect(
    clippy::unwrap_used,
    reason = "a test has nowhere to return an error to"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::TokenStream;
use proc_macro2::TokenTree;
use syn::visit;
use syn::visit::Visit;

/// The layers from the bottom up.
const LAYERS: [&str; 4] = ["limits", "services", "http", "boot"];

/// Imports between modules, by importing and imported module, each with the files that contain it.
type Imports = BTreeMap<(String, String), BTreeSet<String>>;

#[test]
fn imports_point_down_and_never_in_a_circle() {
    let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(imports.len() > 30, "the sources were not read");
    let upward: Vec<_> = imports
        .iter()
        .filter(|((from, to), _)| rank(from) < rank(to))
        .collect();
    assert!(
        upward.is_empty(),
        "imports that point up a layer: {upward:#?}"
    );
    let circles: Vec<_> = imports
        .iter()
        .filter(|((from, to), _)| reaches(&imports, to, from))
        .collect();
    assert!(
        circles.is_empty(),
        "imports that close a circle: {circles:#?}"
    );
}

#[test]
fn imports_in_nested_modules_paths_and_macros_are_found() {
    let source = "
        use crate::http::problem::Problem;
        use crate::http::state;
        fn f() -> crate::services::clock::Clock { println!(\"{}\", crate::boot::command::EX_USAGE) }
        mod tests { use super::super::health; }
    ";
    let mut imports = Imports::new();
    read(source, "http/pages.rs", &mut imports);
    let found: Vec<_> = imports.keys().map(|(_, to)| to.as_str()).collect();
    let expected = [
        "boot::command",
        "http::health",
        "http::problem",
        "http::state",
        "services::clock",
    ];
    assert_eq!(found, expected);
}

fn rank(module: &str) -> Option<usize> {
    let layer = module.split("::").next();
    LAYERS.iter().position(|name| Some(*name) == layer)
}

/// Whether a module imports another one, directly or through others.
fn reaches(imports: &Imports, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        if module == to {
            return true;
        }
        let next = imports.keys().filter(|(importer, _)| importer == module);
        open.extend(
            next.map(|(_, imported)| imported.as_str())
                .filter(|it| seen.insert(it)),
        );
    }
    false
}

/// The imports of all files below a folder.
fn imports(root: &Path) -> Imports {
    let mut imports = Imports::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("main.rs") {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                read(
                    &std::fs::read_to_string(&path).unwrap(),
                    &name,
                    &mut imports,
                );
            }
        }
    }
    imports
}

fn read(source: &str, name: &str, imports: &mut Imports) {
    let file = syn::parse_file(source).unwrap();
    let module = name
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    let mut visitor = ImportVisitor {
        name,
        module,
        imports,
    };
    visitor.visit_file(&file);
}

/// A visitor that collects the imports of one file.
struct ImportVisitor<'a> {
    /// The name of the file.
    name: &'a str,
    /// The path of the module that is being visited.
    module: Vec<String>,
    imports: &'a mut Imports,
}

impl ImportVisitor<'_> {
    /// Adds a path, if it is one of this crate.
    fn add_path(&mut self, path: &[String]) {
        let mut target = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => drop(target.pop()),
                name => target.push(name.to_owned()),
            }
        }
        let module = |path: &[String]| path.iter().take(2).cloned().collect::<Vec<_>>().join("::");
        let (from, to) = (module(&self.module), module(&target));
        // The file of a layer itself only lists its modules.
        if from != to && from.contains("::") && rank(&to).is_some() && to.contains("::") {
            let files = self.imports.entry((from, to)).or_default();
            files.insert(self.name.to_owned());
        }
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add_path(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add_path(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add_path(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(before, tree);
                }
            }
        }
    }

    /// Adds the paths in the arguments of a macro, which `syn` does not parse.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                other @ (TokenTree::Punct(_) | TokenTree::Literal(_) | TokenTree::Group(_)) => {
                    self.add_path(&std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add_path(&path);
    }
}

impl<'ast> Visit<'ast> for ImportVisitor<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path
            .segments
            .iter()
            .map(|it| it.ident.to_string())
            .collect();
        self.add_path(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.add_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}
