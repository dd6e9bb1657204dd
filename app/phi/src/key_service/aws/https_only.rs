//! The SDK interceptor that refuses requests in the clear.

use aws_sdk_kms::config::ConfigBag;
use aws_sdk_kms::config::Intercept;
use aws_sdk_kms::config::RuntimeComponents;
use aws_sdk_kms::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kms::error::BoxError;

use super::AwsKmsError;

/// An interceptor that refuses every request that is not `https://`. The SDK also reads endpoints from the environment
/// and from profiles, which the check of the settings does not cover.
#[derive(Debug)]
pub(super) struct HttpsOnly;

impl Intercept for HttpsOnly {
    fn name(&self) -> &'static str {
        "HttpsOnly"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.request().uri().starts_with("https://") {
            Ok(())
        } else {
            Err(AwsKmsError::PlainEndpoint.into())
        }
    }
}
