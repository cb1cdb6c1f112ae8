//! The URIs that WAMP itself defines: reasons of ABORT and GOODBYE, and errors (specification: "Basic
//! Profile URIs" and "Advanced Profile URIs").

/// The peer is shutting down.
pub const SYSTEM_SHUTDOWN: &str = "wamp.close.system_shutdown";
/// The peer wants to leave the realm.
pub const CLOSE_REALM: &str = "wamp.close.close_realm";
/// The answer to a GOODBYE.
pub const GOODBYE_AND_OUT: &str = "wamp.close.goodbye_and_out";
/// The router has ended the session by force.
pub const KILLED: &str = "wamp.close.killed";
/// A message was malformed or out of place.
pub const PROTOCOL_VIOLATION: &str = "wamp.error.protocol_violation";
/// The realm doesn't exist.
pub const NO_SUCH_REALM: &str = "wamp.error.no_such_realm";
/// The role doesn't exist.
pub const NO_SUCH_ROLE: &str = "wamp.error.no_such_role";
/// The authentication id doesn't exist.
pub const NO_SUCH_PRINCIPAL: &str = "wamp.error.no_such_principal";
/// None of the methods of authentication that the client offers is accepted.
pub const NO_MATCHING_AUTH_METHOD: &str = "wamp.error.no_matching_auth_method";
/// The client has to say who it is.
pub const AUTHENTICATION_REQUIRED: &str = "wamp.error.authentication_required";
/// The client has not proved who it is.
pub const AUTHENTICATION_DENIED: &str = "wamp.error.authentication_denied";
/// Authentication itself has failed.
pub const AUTHENTICATION_FAILED: &str = "wamp.error.authentication_failed";
/// The peer may not do that.
pub const NOT_AUTHORIZED: &str = "wamp.error.not_authorized";
/// The peer needs to be authorised for that.
pub const AUTHORIZATION_REQUIRED: &str = "wamp.error.authorization_required";
/// The peer is not authorised for that.
pub const AUTHORIZATION_DENIED: &str = "wamp.error.authorization_denied";
/// Authorisation itself has failed.
pub const AUTHORIZATION_FAILED: &str = "wamp.error.authorization_failed";
/// A URI is against the rules.
pub const INVALID_URI: &str = "wamp.error.invalid_uri";
/// The subscription doesn't exist.
pub const NO_SUCH_SUBSCRIPTION: &str = "wamp.error.no_such_subscription";
/// The registration doesn't exist.
pub const NO_SUCH_REGISTRATION: &str = "wamp.error.no_such_registration";
/// Nobody offers the procedure.
pub const NO_SUCH_PROCEDURE: &str = "wamp.error.no_such_procedure";
/// Somebody else offers the procedure.
pub const PROCEDURE_ALREADY_EXISTS: &str = "wamp.error.procedure_already_exists";
/// The session doesn't exist.
pub const NO_SUCH_SESSION: &str = "wamp.error.no_such_session";
/// The procedure can't do with these arguments.
pub const INVALID_ARGUMENT: &str = "wamp.error.invalid_argument";
/// The call has been cancelled.
pub const CANCELED: &str = "wamp.error.canceled";
/// The call took too long.
pub const TIMEOUT: &str = "wamp.error.timeout";
/// The message is too large for its receiver.
pub const PAYLOAD_SIZE_EXCEEDED: &str = "wamp.error.payload_size_exceeded";
/// The router doesn't allow an option.
pub const OPTION_NOT_ALLOWED: &str = "wamp.error.option_not_allowed";
/// The router doesn't disclose who calls or publishes.
pub const OPTION_DISALLOWED_DISCLOSE_ME: &str = "wamp.error.option_disallowed.disclose_me";
/// The callee doesn't have a feature that the call needs.
pub const FEATURE_NOT_SUPPORTED: &str = "wamp.error.feature_not_supported";
/// The callee wants another one to take the call.
pub const UNAVAILABLE: &str = "wamp.error.unavailable";
/// All callees were unavailable.
pub const NO_AVAILABLE_CALLEE: &str = "wamp.error.no_available_callee";
/// The router's network has failed.
pub const NETWORK_FAILURE: &str = "wamp.error.network_failure";
