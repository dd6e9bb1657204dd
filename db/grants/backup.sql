-- The backup reads everything, all of it ciphertext, and writes nothing.
GRANT SELECT, LOCK TABLES, SHOW VIEW, TRIGGER ON {{database}}.* TO 'backup'@'%';
