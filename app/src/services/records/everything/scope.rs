//! What a caller gets of a chart by `$everything`: the requested types, of the classes that the role may read.

use access::Permitted;
use access::Read;
use access::Record;
use fhir::ResourceClass;
use fhir::ResourceType;
use fhir::everything::EverythingQuery;
use phi::PatientId;

use crate::services::records::StoredResource;
use crate::services::records::may_disclose_whole;
use crate::services::records::reader::Reader;
use crate::services::records::subject;

/// The chart of which a page is made, and its reader.
pub(super) struct Scope<'s> {
    /// The permit.
    pub(super) permitted: &'s Permitted<'s, Read>,
    /// The caller that reads.
    pub(super) reader: Reader<'s>,
    /// The patient of the chart.
    pub(super) patient: PatientId,
    /// The parameters of the operation.
    pub(super) query: &'s EverythingQuery,
}

impl Scope<'_> {
    /// Whether the caller may read resources of a type, in this chart or in the directory.
    pub(super) fn may_read(&self, resource_type: ResourceType) -> bool {
        let subject = subject(self.reader.organization, resource_type);
        let subject = match resource_type.class() {
            ResourceClass::Directory => subject,
            ResourceClass::Demographics | ResourceClass::Clinical | ResourceClass::Billing => {
                subject.patient(self.patient)
            }
        };
        may_disclose_whole(self.permitted, &Record::from(subject))
    }

    /// Whether resources of a type are shown.
    pub(super) fn shows(&self, resource_type: ResourceType) -> bool {
        self.query.has_type(resource_type) && self.may_read(resource_type)
    }

    /// Whether resources of the organization may be shown.
    pub(super) fn shows_directory(&self) -> bool {
        let mut types = ResourceType::ALL.into_iter();
        types.any(|it| it.may_be_of_organization() && self.shows(it))
    }

    /// Whether a resource of the chart is of the requested time.
    pub(super) fn is_current(&self, stored: &StoredResource) -> bool {
        let since = self.query.since;
        since.is_none_or(|since| stored.meta.last_updated >= since)
    }

    /// The requested classes that the caller may not read.
    pub(super) fn withheld(&self) -> impl Iterator<Item = ResourceClass> {
        ResourceClass::ALL.into_iter().filter(|class| {
            let of_class = ResourceType::ALL.into_iter();
            let mut requested =
                of_class.filter(|it| it.class() == *class && self.query.has_type(*it));
            requested.any(|it| !self.may_read(it))
        })
    }
}
