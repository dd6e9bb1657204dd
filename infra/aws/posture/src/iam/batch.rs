//! Questions for the simulator, each said once, whoever asks.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::json;

/// Questions of one or many architectures. What mutants have in common is asked once.
#[derive(Debug, Default)]
pub struct Batch {
    policies: Distinct,
    scenes: Distinct,
    questions: Distinct,
}

/// What the simulator said, in the order of the questions.
#[derive(Clone, Debug)]
pub struct Answers(Vec<Value>);

/// The simulator's answers can't be read.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// It is not what the simulator prints.
    #[error("the policy simulator's answers are no JSON array")]
    Form(#[from] serde_json::Error),
    /// Some are missing, or there are too many.
    #[error("{questions} questions have {answers} answers")]
    Count {
        /// What was asked.
        questions: usize,
        /// What was answered.
        answers: usize,
    },
}

impl Batch {
    /// What the simulator reads.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "policies": self.policies.all,
            "scenes": self.scenes.all,
            "questions": self.questions.all,
        })
    }

    /// How many different questions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.questions.all.len()
    }

    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.questions.all.is_empty()
    }

    /// Reads what the simulator printed.
    ///
    /// # Errors
    /// When it is something else.
    pub fn answers(&self, printed: &[u8]) -> Result<Answers, AnswersError> {
        let answers: Vec<Value> = serde_json::from_slice(printed)?;
        if answers.len() != self.len() {
            let (questions, answers) = (self.len(), answers.len());
            return Err(AnswersError::Count { questions, answers });
        }
        Ok(Answers(answers))
    }

    /// A policy's place.
    pub(super) fn policy(&mut self, document: &Value) -> usize {
        self.policies.place(document.clone())
    }

    /// The place of all that there is to do something to.
    pub(super) fn scene(&mut self, resources: Value) -> usize {
        self.scenes.place(resources)
    }

    /// A question's place.
    pub(super) fn question(&mut self, question: Value) -> usize {
        self.questions.place(question)
    }
}

impl Answers {
    /// The answer to the question of a place.
    pub(super) fn at(&self, place: usize) -> &Value {
        self.0.get(place).unwrap_or(&Value::Null)
    }
}

#[derive(Debug, Default)]
struct Distinct {
    all: Vec<Value>,
    places: HashMap<String, usize>,
}

impl Distinct {
    fn place(&mut self, value: Value) -> usize {
        let next = self.all.len();
        let place = *self.places.entry(value.to_string()).or_insert(next);
        if place == next {
            self.all.push(value);
        }
        place
    }
}
