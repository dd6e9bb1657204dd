-- The backup reads every table (PHI in them is sealed) and writes nothing.
GRANT SELECT, LOCK TABLES, SHOW VIEW, TRIGGER ON {{database}}.* TO 'backup'@'%';
