-- All return lines of every order touched in the window, from a PostgreSQL warehouse.
-- Yours will differ: join what you have, and give the columns the contract's names (README).
-- Jinja quotes every value that it puts in. Times: a column with a zone is compared as it is; for
-- a column of the program's local times, put in `window_start | literal(timezone)` instead.
-- A row without an order or a time comes along too: it is reported as invalid, never lost.
SELECT
    return_id,
    order_id,
    sku,
    kind,
    quantity,
    amount,
    currency,
    reason,
    returned_at,
    updated_at,
    ordered_at,
    ordered_quantity,
    ordered_amount,
    voided,
    parent_sku
FROM returns
{% if order_ids is not none %}
WHERE order_id IN ({{ order_ids }})
{% else %}
WHERE
    order_id IN (
        SELECT order_id
        FROM returns
        WHERE updated_at >= {{ window_start }} AND updated_at < {{ window_end }}
    )
    OR (order_id IS NULL AND updated_at >= {{ window_start }} AND updated_at < {{ window_end }})
    OR updated_at IS NULL
{% endif %}
