-- The migration of the build that the upgrade test runs beside this one (feature `next-release`). Never part of a release.

ALTER TABLE demographics
  ADD COLUMN next_release_note MEDIUMBLOB NULL COMMENT 'sealed, patient scope; written once the upgrade is finished';
