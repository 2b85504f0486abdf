// Spike memory of a layer that takes numbers, with all time steps of an image. A group of PE neurons gives
// its steps one after another, then the next group follows; the words of a patch lie STRIDE apart.
module sc_steps #(
    parameter PE = 1, parameter SIMD = 8,    // PE divides SIMD
    parameter STRIDE = 1, parameter ADDRESS = 4,
    parameter LENGTH = 4, parameter STEP = 2,              // time steps, and bits of their number
    parameter BACK = 1,                      // bits of `back`
    parameter LATE = 0                       // 1: the reader runs before this layer in a time step
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire last,                         // the last step of a group
    input wire ends,                         // the group is the last one of a patch
    input wire [PE-1:0] spike,
    input wire next,                         // the reader has done a time step
    input wire x_read,
    input wire [ADDRESS-1:0] x_address,
    input wire [BACK-1:0] back,              // 1: the last pass that is done, 2: the one before
    output wire [SIMD-1:0] x_word            // 0 before the first pass
);
    (* no_rw_check *) reg [SIMD-1:0] words [0:(LENGTH<<ADDRESS)-1];
    reg [SIMD-1:0] read, place;              // place: one-hot position of the next spikes
    reg [ADDRESS-1:0] column, patch;
    reg [STEP-1:0] step, t;                  // written next; of the reader
    reg arrived;
    wire full = place[SIMD-PE] || ends;
    wire [ADDRESS-1:0] beyond = patch + 1'b1;
    /* verilator lint_off WIDTH */           // a pass that has not arrived is not used
    wire [STEP+BACK:0] passes = t + (LATE == 0);
    /* verilator lint_off UNUSEDSIGNAL */    // the sign; and the step, if there is but one
    wire [STEP+BACK:0] from = passes - back;
    /* verilator lint_on WIDTH */
    localparam INDEX = (LENGTH == 1) ? ADDRESS : STEP + ADDRESS;
    wire [STEP+ADDRESS-1:0] written = {step, column}, wanted = {from[STEP-1:0], x_address};
    /* verilator lint_on UNUSEDSIGNAL */
    integer k;
    always @(posedge clk) begin
        for (k = 0; k < SIMD; k = k + 1)
            if (valid && place[k/PE*PE]) words[written[INDEX-1:0]][k] <= spike[k%PE];
        if (clear || (valid && last)) step <= {STEP{1'b0}};
        else if (valid) step <= step + 1'b1;
        if (clear || (valid && last && full)) place <= {{(SIMD-1){1'b0}}, 1'b1};
        else if (valid && last) place <= place << (SIMD == PE ? 0 : PE);
        if (clear) begin
            column <= {ADDRESS{1'b0}};
            patch <= {ADDRESS{1'b0}};
        end else if (valid && last && ends) begin
            column <= beyond;
            patch <= beyond;
        end else if (valid && last && full) column <= column + STRIDE[ADDRESS-1:0];
        if (clear) t <= {STEP{1'b0}};
        else if (next) t <= t + 1'b1;
        if (x_read) read <= words[wanted[INDEX-1:0]];
        arrived <= {{(STEP+1){1'b0}}, back} <= passes;
    end
    assign x_word = arrived ? read : {SIMD{1'b0}};
endmodule
