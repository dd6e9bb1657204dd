-- People: authenticators beside the password (NIST SP 800-63B), and the end of all sessions of a person. Each row is
-- authenticated. Whether a person has a second factor is not said by the authenticators alone: a row that is missing must not
-- make an account one of a single factor. For the same reason the end of all sessions is one value of the person's row.

CREATE TABLE authenticators (
  organization BINARY(16)     NOT NULL,
  id           BINARY(16)     NOT NULL COMMENT 'random',
  row_id       BINARY(16)     NOT NULL COMMENT 'random; what the sealed column is bound to',
  person       BINARY(16)     NOT NULL,
  kind         VARCHAR(16)    NOT NULL COMMENT 'totp, passkey, recovery-code or set-up-code',
  secret       VARBINARY(2048) NOT NULL COMMENT 'sealed, organization scope: a TOTP key, a passkey, or the hash of a code',
  created_at   DATETIME(6)    NOT NULL COMMENT 'UTC',
  confirmed_at DATETIME(6)    NULL     COMMENT 'UTC; from when it is accepted; of an app, when its first code was',
  last_counter INT UNSIGNED   NULL     COMMENT 'the time step of the latest accepted code, or the counter that a passkey sent last (0 if it does not count): a lower or equal one is refused, except 0 after 0',
  challenged_at DATETIME(6)   NULL     COMMENT 'UTC; when the challenge was made that a passkey answered last: none made before is accepted',
  ended_at     DATETIME(6)    NULL     COMMENT 'UTC; when it was removed, replaced or used up',
  mac_key      BINARY(16)     NOT NULL,
  mac          BINARY(32)     NOT NULL,
  kid          BINARY(16)     AS (SUBSTRING(secret, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, id),
  UNIQUE KEY authenticators_row (row_id),
  KEY authenticators_person (organization, person, ended_at),
  KEY authenticators_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

ALTER TABLE credentials
  ADD COLUMN second_factor_at DATETIME(6) NULL COMMENT 'UTC; when the person set up a second factor: from then on the password alone is refused';

ALTER TABLE credentials
  ADD COLUMN authenticator_changes INT UNSIGNED NULL COMMENT 'counts changes of authenticators, so that of two at once one fails';
ALTER TABLE credentials
  ADD COLUMN recovery_codes_at DATETIME(6) NULL COMMENT 'UTC; recovery codes that were made before are not accepted';

ALTER TABLE people
  ADD COLUMN sessions_since DATETIME(6) NULL COMMENT 'UTC; sessions and tokens that were authenticated before are not in force';
