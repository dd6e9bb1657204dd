//! The simulator's input and output. Equal parts of several architectures are sent once.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::json;

/// Queries about one or several architectures. Mutants share most of their queries.
#[derive(Debug, Default)]
pub struct Batch {
    policies: Distinct,
    resource_sets: Distinct,
    queries: Distinct,
}

/// The simulator's results, in the order of the queries.
#[derive(Clone, Debug)]
pub struct Results(Vec<Value>);

/// The simulator's output cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The output is not a JSON array.
    #[error("the policy simulator's output is not a JSON array")]
    Form(#[from] serde_json::Error),
    /// The number of results differs from the number of queries.
    #[error("the policy simulator returned {results} results for {queries} queries")]
    Count {
        /// The number of queries.
        queries: usize,
        /// The number of results.
        results: usize,
    },
}

impl Batch {
    /// The simulator's input.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "policies": self.policies.all,
            "resource_sets": self.resource_sets.all,
            "queries": self.queries.all,
        })
    }

    /// Parses the simulator's output.
    ///
    /// # Errors
    /// When the output is not one result for each query.
    pub fn results(&self, output: &[u8]) -> Result<Results, ResultsError> {
        let results: Vec<Value> = serde_json::from_slice(output)?;
        if results.len() != self.queries.all.len() {
            return Err(ResultsError::Count {
                queries: self.queries.all.len(),
                results: results.len(),
            });
        }
        Ok(Results(results))
    }

    /// Adds a policy, and returns its index.
    pub(super) fn policy(&mut self, document: &Value) -> usize {
        self.policies.index(document.clone())
    }

    /// Adds a list of resources, and returns its index.
    pub(super) fn resource_set(&mut self, resources: Value) -> usize {
        self.resource_sets.index(resources)
    }

    /// Adds a query, and returns its index.
    pub(super) fn query(&mut self, query: Value) -> usize {
        self.queries.index(query)
    }

    /// The number of different queries.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queries.all.len()
    }
}

impl Results {
    /// The result of the query with an index.
    pub(super) fn at(&self, index: usize) -> &Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }
}

/// Values without duplicates, in the order of their first addition.
#[derive(Debug, Default)]
struct Distinct {
    all: Vec<Value>,
    indices: HashMap<String, usize>,
}

impl Distinct {
    fn index(&mut self, value: Value) -> usize {
        let next = self.all.len();
        let index = *self.indices.entry(value.to_string()).or_insert(next);
        if index == next {
            self.all.push(value);
        }
        index
    }
}
