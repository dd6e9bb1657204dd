//! The table of resource types: all of R4, except those in `refused.rs`. The four constructors of
//! `definition.rs` give a type the usual title, detail, dates and class; a type that deserves better has its
//! own.

use super::Colour;
use super::ResourceClass;
use super::definition::Definition;
use super::definition::Owner;
use super::definition::Title;
use super::definition::directory;
use super::definition::of_organization;
use super::definition::of_patient;
use super::definition::of_patient_or_organization;
use super::details;

macro_rules! resource_types {
    ($($(#[$doc:meta])* $name:ident => $definition:expr;)*) => {
        /// A supported resource type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ResourceType {
            $($(#[$doc])* $name,)*
        }

        impl ResourceType {
            /// All supported types: Patient, the types that a patient may own in the order of a chart's
            /// filters, then the types of the organization.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// The FHIR name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The type with this name.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }

            pub(super) const fn definition(self) -> &'static Definition {
                match self {
                    $(Self::$name => {
                        const DEFINITION: Definition = $definition;
                        &DEFINITION
                    })*
                }
            }
        }
    };
}

resource_types! {
    /// A person who receives care: the owner of every clinical resource.
    Patient => Definition {
        owner: Owner::Itself,
        class: ResourceClass::Demographics,
        title: Title::HumanName,
        detail: details::patient,
        dates: &[],
        plural: "Patients",
        colour: Colour::None,
    };
    /// A visit, an inpatient stay or a call.
    Encounter => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["type", "class"]),
        detail: details::encounter,
        dates: &["period"],
        plural: "Encounters",
        colour: Colour::Event,
    };
    /// A problem or a diagnosis.
    Condition => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["code"]),
        detail: details::condition,
        dates: &["onsetDateTime", "onsetPeriod", "recordedDate"],
        plural: "Conditions",
        colour: Colour::Problem,
    };
    /// A prescription.
    MedicationRequest => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["medicationCodeableConcept", "medicationReference"]),
        detail: details::medication_request,
        dates: &["authoredOn"],
        plural: "Medications",
        colour: Colour::Treatment,
    };
    /// An allergy or an intolerance.
    AllergyIntolerance => Definition {
        owner: Owner::Patient(&["patient"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["code"]),
        detail: details::allergy,
        dates: &["onsetDateTime", "onsetPeriod", "recordedDate"],
        plural: "Allergies",
        colour: Colour::Problem,
    };
    /// A vaccination given or refused.
    Immunization => Definition {
        owner: Owner::Patient(&["patient"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["vaccineCode"]),
        detail: details::immunization,
        dates: &["occurrenceDateTime", "recorded"],
        plural: "Immunizations",
        colour: Colour::Treatment,
    };
    /// A measurement or a finding.
    Observation => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["code"]),
        detail: details::observation,
        dates: &["effectiveDateTime", "effectiveInstant", "effectivePeriod", "issued"],
        plural: "Observations",
        colour: Colour::Finding,
    };
    /// A procedure that was performed on the patient.
    Procedure => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["code"]),
        detail: details::procedure,
        dates: &["performedDateTime", "performedPeriod"],
        plural: "Procedures",
        colour: Colour::Event,
    };
    /// A report on several findings.
    DiagnosticReport => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Elements(&["code"]),
        detail: details::report,
        dates: &["effectiveDateTime", "effectivePeriod", "issued"],
        plural: "Reports",
        colour: Colour::Finding,
    };
    /// A plan of care for the patient.
    CarePlan => Definition {
        owner: Owner::Patient(&["subject"]),
        class: ResourceClass::Clinical,
        title: Title::Computed(details::care_plan_title),
        detail: details::care_plan,
        dates: &["period", "created"],
        plural: "Care plans",
        colour: Colour::Treatment,
    };
    /// A booking of an encounter.
    Appointment => of_patient(&["participant[].actor"], "Appointments", Colour::Event);
    /// A reply to the request of an appointment.
    // A reply of a practitioner refers to no patient and is refused.
    AppointmentResponse => of_patient(&["actor"], "Appointment responses", Colour::Event);
    /// A span of care for a problem by an organization.
    EpisodeOfCare => of_patient(&["patient"], "Episodes of care", Colour::Event);
    /// A message that was sent.
    Communication => of_patient(&["subject"], "Communications", Colour::Event);
    /// A request to send a message.
    CommunicationRequest => of_patient(&["subject"], "Communication requests", Colour::Event);
    /// A task about the patient.
    Task => of_patient(&["for"], "Tasks", Colour::Event);
    /// An event that harmed the patient, or might have.
    AdverseEvent => of_patient(&["subject"], "Adverse events", Colour::Problem);
    /// A risk that was detected, such as an interaction of drugs.
    DetectedIssue => of_patient(&["patient"], "Detected issues", Colour::Problem);
    /// A warning to show with the chart.
    Flag => of_patient(&["subject"], "Flags", Colour::Problem);
    /// An estimate of likely outcomes.
    RiskAssessment => of_patient(&["subject"], "Risk assessments", Colour::Problem);
    /// An assessment of the patient.
    ClinicalImpression => of_patient(&["subject"], "Impressions", Colour::Problem);
    /// The health of a relative, as it concerns the patient.
    FamilyMemberHistory => of_patient(&["patient"], "Family history", Colour::Problem);
    /// A structure of the patient's body.
    BodyStructure => of_patient(&["patient"], "Body structures", Colour::Problem);
    /// A dose that was given.
    MedicationAdministration => of_patient(&["subject"], "Administrations", Colour::Treatment);
    /// Medication that was handed over.
    MedicationDispense => of_patient(&["subject"], "Dispenses", Colour::Treatment);
    /// Medication that the patient is reported to take.
    MedicationStatement => of_patient(&["subject"], "Medication statements", Colour::Treatment);
    /// An evaluation of a dose against a schedule.
    ImmunizationEvaluation => of_patient(&["patient"], "Immunization evaluations", Colour::Treatment);
    /// The immunizations that are due.
    ImmunizationRecommendation => of_patient(&["patient"], "Immunization recommendations", Colour::Treatment);
    /// The people and organizations of a patient's care.
    CareTeam => of_patient(&["subject"], "Care teams", Colour::Treatment);
    /// An aim of care.
    Goal => of_patient(&["subject"], "Goals", Colour::Treatment);
    /// An order of a procedure, a test or a referral.
    ServiceRequest => of_patient(&["subject"], "Orders", Colour::Treatment);
    /// An order of a device.
    DeviceRequest => of_patient(&["subject"], "Device orders", Colour::Treatment);
    /// The use of a device by the patient.
    DeviceUseStatement => of_patient(&["subject"], "Device use", Colour::Treatment);
    /// A diet, or a formula for feeding.
    NutritionOrder => of_patient(&["patient"], "Nutrition orders", Colour::Treatment);
    /// A prescription of lenses.
    VisionPrescription => of_patient(&["patient"], "Vision prescriptions", Colour::Treatment);
    /// Several orders that belong together.
    RequestGroup => of_patient(&["subject"], "Order groups", Colour::Treatment);
    /// A request for supplies.
    // Supplies for stock go to a location or an organization.
    SupplyRequest => of_patient_or_organization(&["deliverTo"], "Supply requests", Colour::Treatment);
    /// Supplies that were delivered.
    // Supplies for stock concern no patient.
    SupplyDelivery => of_patient_or_organization(&["patient"], "Supply deliveries", Colour::Treatment);
    /// A sample of the patient.
    Specimen => of_patient(&["subject"], "Specimens", Colour::Finding);
    /// Images of one study.
    ImagingStudy => of_patient(&["subject"], "Imaging studies", Colour::Finding);
    /// A photo, a video or a sound.
    Media => of_patient(&["subject"], "Media", Colour::Finding);
    /// A sequence of DNA, RNA or amino acids.
    MolecularSequence => of_patient(&["patient"], "Sequences", Colour::Finding);
    /// The answers to a questionnaire.
    QuestionnaireResponse => of_patient(&["subject"], "Questionnaire responses", Colour::Finding);
    /// The result of a decision support service.
    GuidanceResponse => of_patient(&["subject"], "Guidance", Colour::Finding);
    /// The result of a quality measure, for one patient or for many.
    // A summary over many patients has no subject.
    MeasureReport => of_patient_or_organization(&["subject"], "Measure reports", Colour::Finding);
    /// A clinical document as a set of sections.
    Composition => of_patient(&["subject"], "Compositions", Colour::Record);
    /// A document, such as a letter or a scan.
    DocumentReference => of_patient(&["subject"], "Documents", Colour::Record);
    /// A set of documents.
    DocumentManifest => of_patient(&["subject"], "Document sets", Colour::Record);
    /// Content of any format.
    // A Binary has no other element that says whom it is about; without it, or with the reference of a resource
    // other than the Patient, it is refused.
    Binary => of_patient(&["securityContext"], "Binaries", Colour::Record);
    /// A list of resources.
    // A list without subject, such as a formulary, must not refer to patients.
    List => of_patient_or_organization(&["subject"], "Lists", Colour::Record);
    /// A consent, or its refusal.
    Consent => of_patient(&["patient"], "Consents", Colour::Record);
    /// An agreement.
    // Its subject may be a good or a policy.
    Contract => of_patient_or_organization(&["subject[]"], "Contracts", Colour::Record);
    /// The origin of resources.
    // The Patient must be among the targets: the owner of another target is not known here.
    Provenance => of_patient(&["target[]"], "Provenance", Colour::Record);
    /// A resource of a kind that R4 does not define.
    // Its content may be anything, so that one without a patient is refused.
    Basic => of_patient(&["subject"], "Other records", Colour::Record);
    /// An instrument, an implant, or software.
    // A device is the patient's if it is affixed to the patient, otherwise the organization's.
    Device => of_patient_or_organization(&["patient"], "Devices", Colour::Record);
    /// Blood, an organ or a tissue.
    // The donor; stock from a blood bank has none.
    BiologicallyDerivedProduct => of_patient_or_organization(&["collection.source"], "Biological products", Colour::Record);
    /// A container of time slots.
    // Usually of practitioners and rooms; that of a patient is the patient's.
    Schedule => of_patient_or_organization(&["actor[]"], "Schedules", Colour::Record);
    /// The participation of the patient in a study.
    ResearchSubject => of_patient(&["individual"], "Study participation", Colour::Record);
    /// A person related to the patient.
    RelatedPerson => Definition {
        class: ResourceClass::Demographics,
        title: Title::HumanName,
        ..of_patient(&["patient"], "Related persons", Colour::Record)
    };
    /// A person, as several systems know the same one.
    // One that links several patients is refused.
    Person => Definition {
        class: ResourceClass::Demographics,
        title: Title::HumanName,
        ..of_patient(&["link[].target"], "Persons", Colour::Record)
    };
    /// An insurance or a payer.
    Coverage => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["beneficiary"], "Coverage", Colour::Record)
    };
    /// A question to a payer about a coverage.
    CoverageEligibilityRequest => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["patient"], "Eligibility requests", Colour::Record)
    };
    /// The reply of a payer about a coverage.
    CoverageEligibilityResponse => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["patient"], "Eligibility responses", Colour::Record)
    };
    /// A request to enroll the patient in a coverage.
    EnrollmentRequest => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["candidate"], "Enrollment requests", Colour::Record)
    };
    /// A bill to a payer.
    Claim => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["patient"], "Claims", Colour::Record)
    };
    /// The reply of a payer to a claim.
    ClaimResponse => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["patient"], "Claim responses", Colour::Record)
    };
    /// A claim with its adjudication.
    ExplanationOfBenefit => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["patient"], "Explanations of benefit", Colour::Record)
    };
    /// Charges that are settled together.
    Account => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["subject[]"], "Accounts", Colour::Record)
    };
    /// A charge for a service.
    ChargeItem => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["subject"], "Charges", Colour::Record)
    };
    /// A bill.
    Invoice => Definition {
        class: ResourceClass::Billing,
        ..of_patient(&["subject"], "Invoices", Colour::Record)
    };
    /// A person who provides care.
    Practitioner => Definition {
        owner: Owner::Organization,
        class: ResourceClass::Directory,
        title: Title::HumanName,
        detail: details::practitioner,
        dates: &[],
        plural: "Practitioners",
        colour: Colour::None,
    };
    /// A clinic, a payer or a department.
    Organization => Definition {
        owner: Owner::Organization,
        class: ResourceClass::Directory,
        title: Title::Elements(&["name"]),
        detail: details::of_type,
        dates: &[],
        plural: "Organizations",
        colour: Colour::None,
    };
    /// A place where care is provided.
    Location => Definition {
        owner: Owner::Organization,
        class: ResourceClass::Directory,
        title: Title::Elements(&["name"]),
        detail: details::of_type,
        dates: &[],
        plural: "Locations",
        colour: Colour::None,
    };
    /// A group of patients, of devices or of others.
    // A group has many members: it is the organization's, and may refer to patients.
    Group => of_organization("Groups");
    /// Resources that are about the same thing.
    // It joins resources of several owners.
    Linkage => of_organization("Linkages");
    /// A study.
    ResearchStudy => of_organization("Studies");
    /// A measurement that a device can make.
    // Its device may be a patient's.
    DeviceMetric => of_organization("Device metrics");
    /// A time slot of a schedule.
    // Its schedule may be a patient's.
    Slot => of_organization("Slots");
    /// The reply to an enrollment request.
    // It has no reference to the candidate.
    EnrollmentResponse => Definition {
        class: ResourceClass::Billing,
        ..of_organization("Enrollment responses")
    };
    /// A notice of a payment.
    // A payment may settle the claims of many patients.
    PaymentNotice => Definition {
        class: ResourceClass::Billing,
        ..of_organization("Payment notices")
    };
    /// A payment with the claims that it settles.
    // A payment may settle the claims of many patients.
    PaymentReconciliation => Definition {
        class: ResourceClass::Billing,
        ..of_organization("Payment reconciliations")
    };
    /// A practitioner's role in an organization.
    PractitionerRole => directory("Practitioner roles");
    /// A relation of two organizations.
    OrganizationAffiliation => directory("Organization affiliations");
    /// A service that is offered at a location.
    HealthcareService => directory("Healthcare services");
    /// A network address of a service.
    Endpoint => directory("Endpoints");
    /// An insurance product.
    InsurancePlan => directory("Insurance plans");
    /// A medication as a product.
    Medication => directory("Medication products");
    /// Knowledge about a medication.
    MedicationKnowledge => directory("Medication knowledge");
    /// A material.
    Substance => directory("Substances");
    /// An entry of a catalog.
    CatalogEntry => directory("Catalog entries");
    /// The verification of entries of the directory.
    VerificationResult => directory("Verification results");
    /// A definition of an activity.
    ActivityDefinition => directory("Activity definitions");
    /// A definition of a plan or protocol.
    PlanDefinition => directory("Plan definitions");
    /// A set of questions.
    Questionnaire => directory("Questionnaires");
    /// A library of logic or data.
    Library => directory("Libraries");
    /// A definition of a quality measure.
    Measure => directory("Measures");
    /// A definition of prices.
    ChargeItemDefinition => directory("Charge item definitions");
    /// A kind of device.
    DeviceDefinition => directory("Device definitions");
    /// A kind of observation.
    ObservationDefinition => directory("Observation definitions");
    /// A kind of specimen.
    SpecimenDefinition => directory("Specimen definitions");
    /// A kind of event.
    EventDefinition => directory("Event definitions");
    /// The question of a study.
    ResearchDefinition => directory("Research definitions");
    /// A part of the question of a study.
    ResearchElementDefinition => directory("Research element definitions");
    /// An evidence about an effect.
    Evidence => directory("Evidences");
    /// A population, an exposure or an outcome of evidence.
    EvidenceVariable => directory("Evidence variables");
    /// A synthesis of evidence about an effect.
    EffectEvidenceSynthesis => directory("Effect evidence syntheses");
    /// A synthesis of evidence about a risk.
    RiskEvidenceSynthesis => directory("Risk evidence syntheses");
    /// A set of codes.
    ValueSet => directory("Value sets");
    /// A code system.
    CodeSystem => directory("Code systems");
    /// A map between code systems.
    ConceptMap => directory("Concept maps");
    /// A system of identifiers.
    NamingSystem => directory("Naming systems");
    /// A definition of a structure or profile.
    StructureDefinition => directory("Structure definitions");
    /// A map between structures.
    StructureMap => directory("Structure maps");
    /// A definition of a search parameter; the server does not apply it.
    SearchParameter => directory("Search parameters");
    /// A definition of an operation; the server does not apply it.
    OperationDefinition => directory("Operation definitions");
    /// A definition of a compartment; the server does not apply it.
    CompartmentDefinition => directory("Compartment definitions");
    /// A definition of a graph of resources.
    GraphDefinition => directory("Graph definitions");
    /// A definition of a message.
    MessageDefinition => directory("Message definitions");
    /// A set of profiles and rules.
    ImplementationGuide => directory("Implementation guides");
    /// The capabilities of a system.
    CapabilityStatement => directory("Capability statements");
    /// The capabilities of a terminology service.
    TerminologyCapabilities => directory("Terminology capabilities");
    /// An example of a workflow.
    ExampleScenario => directory("Example scenarios");
    /// A test of a system.
    TestScript => directory("Test scripts");
    /// The result of a test of a system.
    TestReport => directory("Test reports");
    /// A medicinal product.
    MedicinalProduct => directory("Medicinal products");
    /// A marketing authorization.
    MedicinalProductAuthorization => directory("Medicinal product authorizations");
    /// A contraindication of a product.
    MedicinalProductContraindication => directory("Medicinal product contraindications");
    /// An indication of a product.
    MedicinalProductIndication => directory("Medicinal product indications");
    /// An ingredient of a product.
    MedicinalProductIngredient => directory("Medicinal product ingredients");
    /// An interaction of a product.
    MedicinalProductInteraction => directory("Medicinal product interactions");
    /// A product as manufactured.
    MedicinalProductManufactured => directory("Medicinal product manufactureds");
    /// A product as packaged.
    MedicinalProductPackaged => directory("Medicinal product packageds");
    /// A product as administered.
    MedicinalProductPharmaceutical => directory("Medicinal product pharmaceuticals");
    /// An undesirable effect of a product.
    MedicinalProductUndesirableEffect => directory("Medicinal product undesirable effects");
    /// A substance that is a nucleic acid.
    SubstanceNucleicAcid => directory("Substance nucleic acids");
    /// A substance that is a polymer.
    SubstancePolymer => directory("Substance polymers");
    /// A substance that is a protein.
    SubstanceProtein => directory("Substance proteins");
    /// References about a substance.
    SubstanceReferenceInformation => directory("Substance reference information");
    /// The source of a substance.
    SubstanceSourceMaterial => directory("Substance source materials");
    /// A detailed description of a substance.
    SubstanceSpecification => directory("Substance specifications");
}
