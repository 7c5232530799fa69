-- The names that the code has for these. The files before this one say what each is for.
ALTER TABLE changes RENAME COLUMN origin TO write_id;
ALTER TABLE change_marks RENAME TO change_anchors;
ALTER TABLE feeds RENAME COLUMN unsettled TO pending;
ALTER TABLE brought_uuids RENAME TO client_uuids;
