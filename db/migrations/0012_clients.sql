-- Machine clients that sign in by a signed assertion (SMART Backend Services, RFC 7523). A client acts as a row of `people` of
-- the role `service`; its row here takes the place of a password. Public keys and scopes are in the clear, and authenticated:
-- who could exchange a key could sign in.

CREATE TABLE clients (
  organization BINARY(16)    NOT NULL,
  person       BINARY(16)    NOT NULL COMMENT 'random; the client id, and the person of role service that the client acts as',
  row_id       BINARY(16)    NOT NULL COMMENT 'random',
  scopes       VARCHAR(6144) NOT NULL COMMENT 'SMART scopes that may be granted, separated by spaces',
  jwks         VARCHAR(8192) NOT NULL COMMENT 'public keys, as a JSON Web Key Set (RFC 7517)',
  created_at   DATETIME(6)   NOT NULL COMMENT 'UTC',
  created_by   BINARY(16)    NULL     COMMENT 'the administrator; none for app provision',
  keys_at      DATETIME(6)   NOT NULL COMMENT 'UTC; when the keys were registered',
  ended_at     DATETIME(6)   NULL     COMMENT 'UTC; when the client was removed',
  mac_key      BINARY(16)    NOT NULL,
  mac          BINARY(32)    NOT NULL,
  PRIMARY KEY (organization, person),
  UNIQUE KEY clients_person (person),
  UNIQUE KEY clients_row (row_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

-- Assertions that were accepted, so that none is accepted twice, by any instance. Not authenticated: a writer to the database
-- who removes a row also needs the assertion, which expires within minutes.
CREATE TABLE client_assertions (
  assertion  BINARY(32)  NOT NULL COMMENT 'SHA-256 of the client id and the id of the assertion (jti)',
  expires_at DATETIME(6) NOT NULL COMMENT 'UTC; when the assertion itself is no longer accepted',
  PRIMARY KEY (assertion),
  KEY client_assertions_expiry (expires_at)
) ENGINE = InnoDB;

ALTER TABLE sessions
  ADD COLUMN scopes VARCHAR(6144) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'SMART scopes of the token of a machine client';
