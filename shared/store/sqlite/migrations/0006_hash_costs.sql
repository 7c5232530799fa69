-- As 0003: what a failed login must take as long as, for the other forms of hashes (see shared/auth/hash_forms.py).
CREATE INDEX users_by_pbkdf2_sha1_iterations ON users (CAST(substr(password, 13) AS INTEGER))
WHERE substr(password, 1, 12) = 'pbkdf2_sha1$';

-- scrypt$N$salt$r$p$hash
CREATE INDEX users_by_scrypt_work ON users (
    CAST(json_extract('["' || replace(password, '$', '","') || '"]', '$[1]') AS INTEGER)
    * CAST(json_extract('["' || replace(password, '$', '","') || '"]', '$[3]') AS INTEGER)
    * CAST(json_extract('["' || replace(password, '$', '","') || '"]', '$[4]') AS INTEGER)
)
WHERE substr(password, 1, 7) = 'scrypt$' AND json_valid('["' || replace(password, '$', '","') || '"]');

-- argon2$argon2id$v=19$m=memory,t=passes,p=lanes$salt$hash
CREATE INDEX users_by_argon2_work ON users (
    CAST(substr(password, instr(password, '$m=') + 3) AS INTEGER)
    * CAST(substr(password, instr(password, ',t=') + 3) AS INTEGER)
)
WHERE substr(password, 1, 7) = 'argon2$';
