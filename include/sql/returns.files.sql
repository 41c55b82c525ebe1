-- All return lines of every order touched in the window, from CSV or Parquet files of your own,
-- read through DuckDB. The program file names them (`returns_files`: a path, a glob or a list).
-- The columns have the contract's names; further ones do no harm. Cells of a CSV stay text: the
-- contract reads them, so that a bad cell makes one invalid row and not a failed query. A row whose
-- updated_at cannot be read comes along in every window: it is reported as invalid, never lost.
-- A CSV is UTF-8 with commas (`csv_delimiter` says otherwise) and double quotes; nothing about it is
-- guessed, and a line with a cell too many or too few, as a broken export has, fails the query.
{% set files = [returns_files] if returns_files is string else returns_files %}
WITH
exported AS (
    SELECT *
    {% if files and (files[0] | lower).endswith(('.parquet', '.pq')) %}
    FROM read_parquet([{{ files }}], union_by_name = true)
    {% else %}
    FROM read_csv(
        [{{ files }}],
        header = true,
        all_varchar = true,
        union_by_name = true,
        delim = {{ csv_delimiter | default(',') }},
        quote = '"',
        escape = '"',
        comment = '',
        skip = 0
    )
    {% endif %}
),

timed AS (
    SELECT
        exported.*,
        -- a time without a zone is the program's local time
        CASE
            WHEN regexp_matches(CAST(updated_at AS VARCHAR), ':\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*$')
                THEN TRY_CAST(CAST(updated_at AS VARCHAR) AS TIMESTAMPTZ)
            ELSE timezone({{ timezone }}, TRY_CAST(CAST(updated_at AS VARCHAR) AS TIMESTAMP))
        END AS clawback_updated
    FROM exported
)

SELECT * EXCLUDE (clawback_updated)
FROM timed
{% if order_ids is not none %}
WHERE CAST(order_id AS VARCHAR) IN ({{ order_ids }})
{% else %}
WHERE
    CAST(order_id AS VARCHAR) IN (
        SELECT CAST(order_id AS VARCHAR)
        FROM timed
        WHERE
            clawback_updated >= CAST({{ window_start }} AS TIMESTAMPTZ)
            AND clawback_updated < CAST({{ window_end }} AS TIMESTAMPTZ)
    )
    OR (
        order_id IS NULL
        AND clawback_updated >= CAST({{ window_start }} AS TIMESTAMPTZ)
        AND clawback_updated < CAST({{ window_end }} AS TIMESTAMPTZ)
    )
    OR clawback_updated IS NULL
{% endif %}
