//! The patients of a group.

use std::collections::BTreeSet;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::InstantSpan;
use crate::Reference;
use crate::Resource;
use crate::ResourceType;

/// The members of a Group that are patients of this server and belong to it at a time: not `inactive`, and with a `period`
/// that has begun and has not ended. Members of other types, groups in groups among them, are left out.
#[must_use]
pub fn current_members(group: &Resource, at: OffsetDateTime) -> BTreeSet<Uuid> {
    let members = group.value().get("member").and_then(Value::as_array);
    let members = members.into_iter().flatten();
    let current = members.filter(|member| is_current(member, at));
    current.filter_map(patient).collect()
}

/// The patient of a member; none for a member that is none.
fn patient(member: &Value) -> Option<Uuid> {
    let reference = member.get("entity")?.get("reference")?.as_str()?;
    let reference = Reference::parse(reference)?;
    (reference.resource_type == ResourceType::Patient).then_some(reference.id)
}

/// Whether a member belongs to the group at a time. A date of a period that cannot be read excludes the member, since the
/// export must have no patient too many.
fn is_current(member: &Value, at: OffsetDateTime) -> bool {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    let limit = |name: &str| member.get("period").and_then(|period| period.get(name));
    let meets = |name: &str, test: &dyn Fn(InstantSpan) -> bool| {
        limit(name).is_none_or(|limit| {
            let span = limit.as_str().and_then(InstantSpan::parse);
            span.is_some_and(test)
        })
    };
    member.get("inactive") != Some(&Value::Bool(true))
        && meets("start", &|start| i128::from(start.first()) <= millis)
        && meets("end", &|end| i128::from(end.last()) >= millis)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const AT: OffsetDateTime = datetime!(2026-11-29 12:00 UTC);

    fn members_of(member: &Value) -> BTreeSet<Uuid> {
        let group = json!({
            "resourceType": "Group", "type": "person", "actual": true, "member": member
        });
        let group = Resource::parse(group.to_string().as_bytes()).unwrap();
        current_members(&group, AT)
    }

    #[test]
    fn members_are_the_patients_that_belong_to_the_group_now() {
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let entity = |kind: &str, id: Uuid| json!({"reference": format!("{kind}/{id}")});
        let with =
            |name: &str, value: Value| json!({"entity": entity("Patient", one), name: value});
        let all = json!([
            {"entity": entity("Patient", one), "inactive": false},
            {"entity": entity("Patient", other), "period": {"start": "2026-11-29", "end": "2026-11"}},
            {"entity": entity("Patient", one)},
            {"entity": entity("Practitioner", Uuid::from_u128(3))},
            {"entity": entity("Group", Uuid::from_u128(4))},
            {"entity": {"display": "A patient elsewhere"}}
        ]);
        assert_eq!(members_of(&all), BTreeSet::from([one, other]));
        for former in [
            with("inactive", json!(true)),
            with("period", json!({"end": "2026-11-28"})),
            with("period", json!({"start": "2026-11-29T12:00:00.001Z"})),
        ] {
            assert!(members_of(&json!([former])).is_empty(), "{former}");
        }
    }

    #[test]
    fn a_group_without_members_has_no_patients() {
        let group = json!({"resourceType": "Group", "type": "person", "actual": false});
        let group = Resource::parse(group.to_string().as_bytes()).unwrap();
        assert!(current_members(&group, AT).is_empty());
    }
}
