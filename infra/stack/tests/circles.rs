//! No circle between the modules of any crate: what imports a module is not imported by it, directly or through
//! others.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::path::PathBuf;

    /// The path of a module below its crate.
    type Module = Vec<String>;

    /// The siblings that a module, or a module below it, imports.
    type Imports = BTreeMap<Module, BTreeSet<Module>>;

    /// The source folders of the workspace's crates.
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !path.is_dir() || name.starts_with('.') || name == "target" {
                continue;
            }
            if name == "src" && folder.join("Cargo.toml").is_file() {
                found.push(path);
            } else {
                sources(&path, found);
            }
        }
    }

    /// The modules of a crate with their texts, without those of tests and of other programs.
    fn modules(source: &Path, folder: &Path, found: &mut BTreeMap<Module, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if ["tests", "bin", "__fuzz__"].contains(&name) {
                continue;
            }
            if path.is_dir() {
                modules(source, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(source).unwrap().with_extension("");
                let parts = below.iter().map(|part| part.to_str().unwrap().to_owned());
                let module: Module = parts.collect();
                let is_root = ["lib", "main"].iter().any(|root| module == [*root]);
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let module = if is_root { Module::new() } else { module };
                found.insert(module, code.to_owned());
            }
        }
    }

    /// The module that a `use` in `from` names, by its longest known path.
    fn resolve(used: &str, from: &Module, modules: &BTreeMap<Module, String>) -> Option<Module> {
        let mut parts: Vec<&str> = used.split("::").collect();
        let mut base = match parts.first().copied()? {
            "crate" => Module::new(),
            "self" | "super" => from.clone(),
            _ => return None,
        };
        while let Some(first) = parts.first().copied() {
            match first {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                _ => break,
            }
            parts.remove(0);
        }
        base.extend(parts.into_iter().map(str::to_owned));
        while !modules.contains_key(&base) {
            base.pop()?;
        }
        Some(base)
    }

    /// Where two paths part, as siblings. None when one is above the other.
    fn siblings(one: &Module, other: &Module) -> Option<(Module, Module)> {
        let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
        let part = |path: &Module| path.get(..=common).map(<[String]>::to_vec);
        part(one).zip(part(other))
    }

    fn imports(modules: &BTreeMap<Module, String>) -> Imports {
        let mut imports = Imports::new();
        for (module, code) in modules {
            for line in code.lines() {
                let line = line.trim_start().trim_start_matches("pub(crate) ");
                let Some(used) = line.trim_start_matches("pub ").strip_prefix("use ") else {
                    continue;
                };
                let target = resolve(used.trim_end_matches(';'), module, modules);
                if let Some((from, to)) = target.and_then(|target| siblings(module, &target)) {
                    imports.entry(from).or_default().insert(to);
                }
            }
        }
        imports
    }

    /// Modules that reach themselves.
    fn circles(imports: &Imports) -> Vec<String> {
        let reaches_itself = |start: &Module| {
            let mut open: Vec<&Module> = imports.get(start).into_iter().flatten().collect();
            let mut seen = BTreeSet::new();
            while let Some(module) = open.pop() {
                if module == start {
                    return true;
                }
                if seen.insert(module) {
                    open.extend(imports.get(module).into_iter().flatten());
                }
            }
            false
        };
        let found = imports.keys().filter(|module| reaches_itself(module));
        found.map(|module| module.join("::")).collect()
    }

    #[test]
    fn no_crate_has_a_circle_between_its_modules() {
        let root = tools::workspace::root().unwrap();
        let mut folders = Vec::new();
        sources(&root, &mut folders);
        assert!(folders.len() > 20, "{folders:?}");
        for source in folders {
            let mut of_crate = BTreeMap::new();
            modules(&source, &source, &mut of_crate);
            let found = circles(&imports(&of_crate));
            assert!(found.is_empty(), "{}: {found:?}", source.display());
        }
    }

    #[test]
    fn a_circle_through_a_third_module_is_found() {
        let module = |name: &str| vec![name.to_owned()];
        let modules = BTreeMap::from([
            (Module::new(), "mod a;".to_owned()),
            (module("a"), "use crate::b::B;".to_owned()),
            (module("b"), "use super::c::C;".to_owned()),
            (module("c"), "pub(crate) use crate::a::A;".to_owned()),
            (module("d"), "use crate::a::A;".to_owned()),
        ]);
        assert_eq!(circles(&imports(&modules)), ["a", "b", "c"]);
    }
}
