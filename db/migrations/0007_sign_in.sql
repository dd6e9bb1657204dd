-- Throttling of sign-in, shared by all instances of the app. Rows name accounts and clients by keyed MACs alone. A row
-- that is missing permits nothing: each instance counts in its memory, too.

CREATE TABLE sign_in_attempts (
  limiter BINARY(16)  NOT NULL COMMENT 'keyed MAC of an account, or of an account and a client address',
  free_at DATETIME(6) NOT NULL COMMENT 'UTC; when every attempt counted here is forgotten',
  PRIMARY KEY (limiter),
  KEY sign_in_attempts_free (free_at)
) ENGINE = InnoDB;

CREATE TABLE sign_in_addresses (
  evidence   BINARY(16) NOT NULL COMMENT 'half of a keyed MAC of an account, a client address and a period of days',
  proof      BINARY(16) NOT NULL COMMENT 'the other half, without which the row proves nothing',
  expires_on DATE       NOT NULL COMMENT 'UTC; from this day on no query asks for the row',
  PRIMARY KEY (evidence),
  KEY sign_in_addresses_expiry (expires_on)
) ENGINE = InnoDB;
