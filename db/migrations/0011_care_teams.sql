-- Access to charts: the policy of an organization, its care teams, and emergency access with its review. Each row is
-- authenticated. A row that is missing grants nothing, and neither does one that was put back to before its end for longer than
-- the scrubber needs.

ALTER TABLE organizations
  ADD COLUMN chart_access VARCHAR(16) NULL COMMENT 'plaintext; protected by mac; care-team: clinicians reach the charts of their patients; NULL: all charts';

CREATE TABLE care_team_members (
  organization BINARY(16)  NOT NULL,
  patient      BINARY(16)  NOT NULL,
  person       BINARY(16)  NOT NULL,
  row_id       BINARY(16)  NOT NULL COMMENT 'random',
  added_at     DATETIME(6) NOT NULL COMMENT 'UTC',
  added_by     BINARY(16)  NOT NULL COMMENT 'the person that added the member last',
  ended_at     DATETIME(6) NULL     COMMENT 'UTC; when the member was removed',
  mac_key      BINARY(16)  NOT NULL,
  mac          BINARY(32)  NOT NULL,
  PRIMARY KEY (organization, patient, person),
  UNIQUE KEY care_team_members_row (row_id),
  KEY care_team_members_person (organization, person, ended_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;

CREATE TABLE emergency_accesses (
  organization BINARY(16)      NOT NULL,
  id           BINARY(16)      NOT NULL COMMENT 'random',
  row_id       BINARY(16)      NOT NULL COMMENT 'random; what the sealed columns are bound to',
  patient      BINARY(16)      NOT NULL,
  person       BINARY(16)      NOT NULL COMMENT 'whom it lets open the chart',
  reason       VARBINARY(4096) NOT NULL COMMENT 'sealed, organization scope',
  began_at     DATETIME(6)     NOT NULL COMMENT 'UTC',
  ends_at      DATETIME(6)     NOT NULL COMMENT 'UTC; from then on it opens nothing',
  reviewed_at  DATETIME(6)     NULL     COMMENT 'UTC; NULL: the review is open',
  reviewed_by  BINARY(16)      NULL,
  appropriate  TINYINT(1)      NULL     COMMENT 'plaintext; protected by mac; the result of the review',
  finding      VARBINARY(4096) NULL     COMMENT 'sealed, organization scope',
  mac_key      BINARY(16)      NOT NULL,
  mac          BINARY(32)      NOT NULL,
  kid          BINARY(16)      AS (SUBSTRING(reason, 3, 16)) STORED COMMENT 'the key that seals this row',
  PRIMARY KEY (organization, id),
  UNIQUE KEY emergency_accesses_row (row_id),
  KEY emergency_accesses_person (organization, person, ends_at),
  KEY emergency_accesses_review (organization, reviewed_at, began_at),
  KEY emergency_accesses_kid (kid)
) ENGINE = InnoDB DEFAULT CHARACTER SET = ascii COLLATE = ascii_bin;
