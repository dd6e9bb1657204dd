-- Bulk exports. Their files are sealed objects, not rows.

CREATE TABLE exports (
  organization BINARY(16)      NOT NULL,
  id           BINARY(16)      NOT NULL COMMENT 'random UUID, in the URLs of the export',
  row_id       BINARY(16)      NOT NULL COMMENT 'random; what the sealed columns are bound to',
  person       BINARY(16)      NOT NULL COMMENT 'the only caller that reaches the export',
  requested_at DATETIME(6)     NOT NULL COMMENT 'UTC',
  expires_at   DATETIME(6)     NOT NULL COMMENT 'UTC; the files are deleted then',
  request      VARBINARY(4096) NOT NULL COMMENT 'sealed, organization scope: what is exported',
  state        MEDIUMBLOB      NOT NULL COMMENT 'sealed, organization scope: the position, and the files so far',
  ended_at     DATETIME(6)     NULL     COMMENT 'UTC; when the export was removed before it expired',
  mac_key      BINARY(16)      NOT NULL,
  mac          BINARY(32)      NOT NULL,
  kid          BINARY(16)      AS (SUBSTRING(request, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, id),
  UNIQUE KEY exports_row (row_id),
  KEY exports_expiry (organization, expires_at),
  KEY exports_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
